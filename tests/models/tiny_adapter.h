// A small model with random weights on disk, and an adapter for it that a test assembles.
#pragma once

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/base/files.h"
#include "models/checkpoint/checkpoint_path.h"
#include "models/weights.h"
#include "tests/models/tiny_hybrids.h"
#include "tests/temporary_folder.h"

namespace niah::models {

inline nlohmann::json tiny_llama() {
  return {{"model_type", "llama"},       {"vocab_size", 97},
          {"hidden_size", 64},           {"intermediate_size", 96},
          {"num_hidden_layers", 2},      {"num_attention_heads", 4},
          {"num_key_value_heads", 2},    {"head_dim", 16},
          {"rope_theta", 10000.0},       {"rms_norm_eps", 1e-5},
          {"tie_word_embeddings", false}};
}

class TinyAdapter {
 public:
  explicit TinyAdapter(const nlohmann::json& config)
      : config_base_(config), base_(tiny_weights(config, 1)) {
    std::filesystem::create_directory(folder_);
    std::filesystem::create_directory(adapter_);
    write_base();
    torch::manual_seed(7);
  }

  void write_base() const {
    write_file(folder_ / "config.json", config_base_.dump());
    save_weights(folder_ / "model.safetensors", base_, {});
  }
  void write() const {
    write_file(adapter_ / "adapter_config.json", config_.dump());
    save_weights(adapter_ / "adapter_model.safetensors", tensors_, {{"format", "pt"}});
  }
  CheckpointPath path() const { return {folder_, adapter_}; }

  void add(const std::string& name, const at::Tensor& tensor) {
    tensors_.insert_or_assign(name, tensor);
  }
  void add_factors(const std::string& module, std::int64_t out, std::int64_t in,
                   std::int64_t rank = 4) {
    add(module + ".lora_A.weight", 0.1 * at::randn({rank, in}));
    add(module + ".lora_B.weight", 0.1 * at::randn({out, rank}));
  }

  TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path() / "base",
                        adapter_ = temporary_.path() / "adapter";
  nlohmann::json config_base_;
  WeightMap base_;
  nlohmann::json config_ = {{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}};
  WeightMap tensors_;
};

}  // namespace niah::models
