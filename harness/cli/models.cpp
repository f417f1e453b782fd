// niah info, verify, selftest: what a checkpoint is, and whether it is computed right.
#include <fmt/format.h>
#include <torch/torch.h>

#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/output.h"
#include "harness/base/units.h"
#include "harness/cli/checkpoint_info.h"
#include "harness/cli/command.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_options.h"
#include "harness/config/sweep.h"
#include "models/checkpoint/checkpoint.h"
#include "models/device.h"
#include "models/instruments/selftest.h"
#include "models/instruments/verify.h"
#include "models/registry.h"

namespace niah {
namespace {

/// What a tensor is counted as.
std::string counted_as(const models::PlacedPart& part, const models::ModelInfo& info) {
  if (part.in_mixer)
    return fmt::format("{} mixers", info.mixers[static_cast<std::size_t>(*part.layer)].name);
  switch (part.rows.part) {
    case models::Part::kEmbedding:
      return "embedding";
    case models::Part::kHead:
      return "output head";
    case models::Part::kMlp:
      return "MLP";
    case models::Part::kExpert:
      return "experts";
    default:
      return "norms";
  }
}

/// What every command that opens a checkpoint may be told about it.
struct ModelArguments {
  std::string folder, adapter;
  std::vector<std::string> overrides;
  std::string dtype = "fp32";
  std::string device = "cpu";

  models::CheckpointPath path() const { return {folder, adapter}; }
  nlohmann::json override() const {
    nlohmann::json fields;
    for (const std::string& text : overrides) add_config_override(fields, text);
    return fields;
  }
  at::ScalarType scalar_type() const {
    if (dtype == "fp32") return at::kFloat;
    if (dtype == "bf16") return at::kBFloat16;
    throw UsageError(fmt::format("--dtype '{}': fp32 or bf16 was expected", dtype));
  }
  std::shared_ptr<models::CausalLM> load() const {
    return models::load_model(path(), scalar_type(), override(), models::find_device(device));
  }
};

void add_model_options(CLI::App& command, ModelArguments& arguments) {
  command.add_option("model", arguments.folder, "Checkpoint folder")->required();
  add_adapter_option(command, arguments.adapter);
  add_repeated(command, "--override", arguments.overrides,
               "Change a field of its config.json: --override \"attn_logits_scaling=hype 500\"");
}

/// For commands that compute with it.
void add_runtime_options(CLI::App& command, ModelArguments& arguments) {
  command.add_option("--dtype", arguments.dtype, "fp32 or bf16")->capture_default_str();
  add_device_option(command, arguments.device);
}

void print_state_sizes(const models::ModelInfo& info) {
  std::int64_t growing = 0, bounded = 0, state = 0;
  for (const models::MixerInfo& mixer : info.mixers) {
    const models::MixerCost& cost = mixer.cost;
    if (cost.window == 0) growing += cost.kv_values;
    if (cost.window > 0) bounded += cost.kv_values * (cost.window - 1);
    state += 4 * cost.state_values;
    bounded += cost.tail_values;
  }
  print_out("  KV cache       {} a token in bf16, {} in fp32\n",
            format_bytes(static_cast<double>(2 * growing)),
            format_bytes(static_cast<double>(4 * growing)));
  if (state + bounded > 0)
    print_out(
        "  fixed state    {} whatever the length (recurrent matrices in fp32, the rest bf16)\n",
        format_bytes(static_cast<double>(state + 2 * bounded)));
}

ExitCode run_info(const ModelArguments& arguments) {
  const models::Checkpoint checkpoint(arguments.path());
  const auto model = models::check_tensors(
      checkpoint, models::override_config(checkpoint.config(), arguments.override()));
  const models::ModelInfo& info = model->info();
  std::map<std::string, std::int64_t> parts;
  std::int64_t parameters = 0;
  const auto by_tensor = models::parts_by_tensor(info);
  for (const auto& item : model->named_parameters()) {
    parts[counted_as(by_tensor.at(item.key()).front(), info)] += item.value().numel();
    parameters += item.value().numel();
  }

  print_out("{}\n", arguments.path().text());
  print_out("  architecture   {}, hidden size {}, vocabulary {}\n", info.architecture,
            info.hidden_size, format_count(info.vocab_size));
  const std::string tested = models::tested_against(info.architecture);
  print_out("  tested against {}\n", tested.empty() ? "nothing" : tested);
  print_out("  layers         {}  {}  ({})\n", info.mixers.size(), models::layer_pattern(info),
            models::pattern_legend(info));
  print_out("  parameters     {}\n", format_count(parameters));
  for (const auto& [part, count] : parts)
    print_out("    {:24} {:>14}\n", part, format_count(count));
  print_storage(checkpoint);
  print_out("  context        {}\n",
            info.max_positions > 0 ? format_length(info.max_positions) : "not stated");
  print_state_sizes(info);
  print_tokenizer(checkpoint);
  for (const std::string& warning : info.warnings) print_out("  warning        {}\n", warning);
  print_weights_hash(checkpoint);
  return ExitCode::kOk;
}

struct VerifyArguments {
  ModelArguments model;
  std::string golden;
  double tolerance = 1e-4;
  std::int64_t chunk = 0;
};

ExitCode run_verify(const VerifyArguments& arguments) {
  const bool fp32 = arguments.model.scalar_type() == at::kFloat;
  const auto model = arguments.model.load();
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
  print_out("{}\n", json.dump());
  // In bf16 only positions with a clear margin can be asked to agree.
  const bool good = fp32 ? std::max(result.prefill_max_abs_diff, result.decode_max_abs_diff) <=
                                   arguments.tolerance &&
                               result.greedy_equal == result.greedy_compared
                         : result.clear_argmax_agreement == 1;
  return good ? ExitCode::kOk : ExitCode::kCheckFailed;
}

struct SelftestArguments {
  ModelArguments model;
  models::SelftestOptions options;
};

ExitCode run_selftest(const SelftestArguments& arguments) {
  const auto model = arguments.model.load();
  bool good = true;
  for (const models::SelftestCheck& check : models::selftest(*model, arguments.options)) {
    print_out("{}\n", describe(check));
    good = good && check.passed;
  }
  return good ? ExitCode::kOk : ExitCode::kCheckFailed;
}

}  // namespace

void add_info_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ModelArguments>();
  CLI::App* command = add_command(program, kInfo);
  add_model_options(*command, *arguments);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_info(*arguments); }; });
}

void add_verify_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = add_command(program, kVerify);
  add_model_options(*command, arguments->model);
  command->add_option("--golden", arguments->golden, "Recorded logits (safetensors)")->required();
  add_number(*command, "--tolerance", arguments->tolerance, {.low = 0},
             "Largest difference of a logit (fp32)");
  add_integer(*command, "--chunk", arguments->chunk, {0, kLongestLength},
              "Prefill in pieces of so many tokens (0: whole)");
  add_runtime_options(*command, arguments->model);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_verify(*arguments); }; });
}

void add_selftest_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<SelftestArguments>();
  CLI::App* command = add_command(program, kSelftest);
  add_model_options(*command, arguments->model);
  add_integer(*command, "--chunk", arguments->options.chunk, {1, kLongestLength},
              "Prefill chunk, in tokens");
  add_runtime_options(*command, arguments->model);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_selftest(*arguments); }; });
}

}  // namespace niah
