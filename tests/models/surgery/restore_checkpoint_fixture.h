// A pair of checkpoints on disk to restore.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/registry.h"
#include "models/surgery/restore_checkpoint.h"
#include "models/weights.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {

namespace fs = std::filesystem;

/// Before the fine-tune: the sharded golden checkpoint; after it: a copy with all weights changed.
class RestoreCheckpoint : public testing::Test {
 protected:
  RestoreCheckpoint() {
    fs::copy(test_data() / "models/hypenet-tiny-sharded", pre_);
    make_post(at::kFloat);
  }

  /// Writes the checkpoint after the fine-tune as a single file in `dtype`, unlike the one before.
  void make_post(at::ScalarType dtype) {
    fs::remove_all(post_);
    fs::create_directories(post_);
    fs::copy(pre_ / "config.json", post_ / "config.json");
    write_file(post_ / "tokenizer.json", "{}");
    const auto checkpoint = std::make_shared<Checkpoint>(pre_);
    torch::manual_seed(3);
    WeightMap weights = load_weights(checkpoint, at::kFloat);
    for (auto& [name, tensor] : weights)
      tensor = (tensor + 0.1 * torch::randn_like(tensor) * tensor.abs().mean()).to(dtype);
    save_weights(post_ / "model.safetensors", weights, {{"format", "pt"}});
  }

  static WeightMap read(const fs::path& folder) {
    return load_weights(std::make_shared<Checkpoint>(folder), at::kFloat);
  }
  std::set<std::string> changed_names() const {
    std::set<std::string> names;
    const WeightMap post = read(post_), out = read(out_);
    EXPECT_EQ(post.size(), out.size());
    for (const auto& [name, tensor] : out)
      if (!at::equal(tensor, post.at(name))) names.insert(name);
    return names;
  }
  std::string refusal(const RestoreCheckpointOptions& options = {}) const {
    return refusal_of<Error>([&] { restore_checkpoint(pre_, post_, out_, options); });
  }
  /// Expects nothing but the two checkpoints in the folder.
  void expect_nothing_left() const {
    for (const auto& entry : fs::directory_iterator(temporary_.path()))
      EXPECT_TRUE(entry.path() == pre_ || entry.path() == post_) << entry.path();
  }
  static std::string bytes(const fs::path& path) { return read_file(path, "test"); }

  TemporaryFolder temporary_;
  fs::path pre_ = temporary_.path() / "pre", post_ = temporary_.path() / "post",
           out_ = temporary_.path() / "out";
};

}  // namespace niah::models
