// niah info, niah verify: what a checkpoint is, and whether it is computed right.
#include <fmt/format.h>
#include <torch/torch.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/units.h"
#include "harness/commands/commands.h"
#include "models/checkpoint/checkpoint.h"
#include "models/registry.h"
#include "models/tokenizer/tokenizer.h"
#include "models/verify.h"

namespace niah {
namespace {

char layer_letter(models::LayerKind kind) {
  switch (kind) {
    case models::LayerKind::kSoftmax:
      return 'A';
    case models::LayerKind::kSlidingWindow:
      return 'W';
    case models::LayerKind::kLightning:
      return 'L';
    case models::LayerKind::kJet:
      return 'J';
  }
  return '?';
}

std::string layer_pattern(const models::ModelInfo& info) {
  std::string pattern;
  for (const models::LayerKind kind : info.layers) pattern += layer_letter(kind);
  return pattern;
}

/// Part of the model that a tensor belongs to, for the count by kind.
std::string part_of(const std::string& name) {
  if (name.find("embed_tokens") != std::string::npos) return "embedding";
  if (name.find("lm_head") != std::string::npos) return "output head";
  if (name.find(".mlp.") != std::string::npos) return "MLP";
  if (name.find(".self_attn.") != std::string::npos) return "mixers";
  return "norms";
}

ExitCode run_info(const std::string& folder) {
  const models::Checkpoint checkpoint(folder);
  models::ShapeSource shapes;
  const auto model = models::make_model(checkpoint.config(), folder, shapes);
  const models::ModelInfo& info = model->info();
  std::map<std::string, std::int64_t> parts;
  for (const auto& [name, shape] : shapes.shapes())
    parts[part_of(name)] += c10::multiply_integers(shape);
  std::map<std::string, std::int64_t> dtypes;
  for (const std::string& name : checkpoint.tensor_names())
    ++dtypes[std::string(models::dtype_name(checkpoint.find(name)->dtype))];
  std::int64_t kv_values = 0;
  for (const models::SoftmaxLayer& layer : model->softmax_layers())
    kv_values += 2 * layer.kv_heads * layer.head_dim;

  fmt::print("{}\n", folder);
  fmt::print("  architecture   {}, hidden size {}, vocabulary {}\n", info.architecture,
             info.hidden_size, format_count(info.vocab_size));
  fmt::print("  layers         {}  {}  (A softmax, L lightning, W sliding window, J JetBlock)\n",
             info.layers.size(), layer_pattern(info));
  fmt::print("  parameters     {}", format_count(shapes.parameters()));
  for (const auto& [part, count] : parts)
    fmt::print("{} {} {}", part == parts.begin()->first ? ":" : ",", part, format_count(count));
  fmt::print("\n  stored as      ");
  for (const auto& [dtype, count] : dtypes) fmt::print("{} tensors in {}  ", count, dtype);
  fmt::print("\n  context        {}\n",
             info.max_positions > 0 ? format_length(info.max_positions) : "not stated");
  fmt::print("  KV cache       {} a token in bf16, {} in fp32\n",
             format_bytes(static_cast<double>(2 * kv_values)),
             format_bytes(static_cast<double>(4 * kv_values)));
  try {
    fmt::print("  tokenizer      {}\n", models::open_tokenizer(folder)->description());
  } catch (const DataError& error) {
    fmt::print("  tokenizer      none ({})\n", error.what());
  }
  fmt::print("  weights sha256 {}\n", checkpoint.weights_sha256());
  return ExitCode::kOk;
}

struct VerifyArguments {
  std::string model, golden, dtype = "fp32";
  double tolerance = 1e-4;
  std::int64_t chunk = 0;
};

ExitCode run_verify(const VerifyArguments& arguments) {
  if (arguments.dtype != "fp32" && arguments.dtype != "bf16")
    throw UsageError(fmt::format("--dtype '{}': fp32 or bf16 was expected", arguments.dtype));
  const bool fp32 = arguments.dtype == "fp32";
  const auto model = models::load_model(arguments.model, fp32 ? at::kFloat : at::kBFloat16);
  const models::VerifyResult result =
      models::verify(*model, models::read_golden(arguments.golden), arguments.chunk);
  const nlohmann::ordered_json json = {{"prefill_max_abs_diff", result.prefill_max_abs_diff},
                                       {"decode_max_abs_diff", result.decode_max_abs_diff},
                                       {"argmax_agreement", result.argmax_agreement},
                                       {"clear_argmax_agreement", result.clear_argmax_agreement},
                                       {"mean_abs_diff", result.mean_abs_diff},
                                       {"positions", result.positions},
                                       {"greedy_equal", result.greedy_equal},
                                       {"greedy_compared", result.greedy_compared}};
  std::cout << json.dump() << std::endl;
  // In bf16 only positions with a clear margin can be asked to agree.
  const bool good = fp32 ? std::max(result.prefill_max_abs_diff, result.decode_max_abs_diff) <=
                                   arguments.tolerance &&
                               result.greedy_equal == result.greedy_compared
                         : result.clear_argmax_agreement == 1;
  return good ? ExitCode::kOk : ExitCode::kCheckFailed;
}

}  // namespace

void add_info_command(CLI::App& program, Command& chosen) {
  const auto folder = std::make_shared<std::string>();
  CLI::App* command =
      add_command(program, "info", "What a checkpoint is", "niah info models/zoo/base");
  command->add_option("model", *folder, "Checkpoint folder")->required();
  command->callback([folder, &chosen] { chosen = [folder] { return run_info(*folder); }; });
}

void add_verify_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = add_command(
      program, "verify", "Compare logits with those recorded from a reference implementation",
      "niah verify my-checkpoint --golden golden.safetensors");
  command->add_option("model", arguments->model, "Checkpoint folder")->required();
  command->add_option("--golden", arguments->golden, "Recorded logits (safetensors)")->required();
  command->add_option("--tolerance", arguments->tolerance, "Largest difference of a logit (fp32)")
      ->capture_default_str();
  command->add_option("--chunk", arguments->chunk, "Prefill in pieces of so many tokens (0: whole)")
      ->capture_default_str();
  command->add_option("--dtype", arguments->dtype, "fp32 or bf16")->capture_default_str();
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_verify(*arguments); }; });
}

}  // namespace niah
