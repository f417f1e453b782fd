// niah info: what a checkpoint is.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/cli/checkpoint_info.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/model_options.h"
#include "models/checkpoint/checkpoint.h"
#include "models/registry.h"

namespace niah {
namespace {

/// The heading under which a tensor's parameters are counted.
std::string counted_as(const models::PlacedPart& part, const models::ModelInfo& info) {
  if (part.in_mixer && part.layer)
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

/// What a model keeps of what it read.
struct StateSizes {
  std::int64_t values_a_token = 0;  ///< keys and values of layers without a window
  std::int64_t fixed_bytes = 0;     ///< whatever the length; matrices in fp32, the rest in bf16
};

StateSizes state_sizes(const models::ModelInfo& info) {
  StateSizes sizes;
  std::int64_t bounded = 0;
  for (const models::MixerInfo& mixer : info.mixers) {
    const models::MixerCost& cost = mixer.cost;
    if (cost.window == 0) sizes.values_a_token += cost.kv_values;
    if (cost.window > 0) bounded += cost.kv_values * (cost.window - 1);
    sizes.fixed_bytes += 4 * cost.state_values;
    bounded += cost.tail_values;
  }
  sizes.fixed_bytes += 2 * bounded;
  return sizes;
}

void print_state_sizes(const models::ModelInfo& info) {
  const StateSizes sizes = state_sizes(info);
  print_out("  KV cache       {} a token in bf16, {} in fp32\n",
            format_bytes(static_cast<double>(2 * sizes.values_a_token)),
            format_bytes(static_cast<double>(4 * sizes.values_a_token)));
  if (sizes.fixed_bytes > 0)
    print_out(
        "  fixed state    {} whatever the length (recurrent matrices in fp32, the rest bf16)\n",
        format_bytes(static_cast<double>(sizes.fixed_bytes)));
}

/// What only the architecture knows, beside what the files' headers say.
nlohmann::json model_json(nlohmann::json json, const models::ModelInfo& info,
                          const std::map<std::string, std::int64_t>& parts,
                          std::int64_t parameters) {
  json["architecture"] = info.architecture;
  json["tested_against"] = models::tested_against(info.architecture);
  json["hidden_size"] = info.hidden_size;
  json["vocabulary"] = info.vocab_size;
  json["layers"] = info.mixers.size();
  json["pattern"] = models::layer_pattern(info);
  json["parameters"] = parameters;
  json["parameters_by_part"] = parts;
  json["context"] = nullptr;
  if (info.max_positions > 0) json["context"] = info.max_positions;
  const StateSizes sizes = state_sizes(info);
  json["kv_bytes_a_token_bf16"] = 2 * sizes.values_a_token;
  json["fixed_state_bytes"] = sizes.fixed_bytes;
  for (const std::string& warning : info.warnings) json["warnings"].push_back(warning);
  return json;
}

struct InfoArguments : ModelArguments {
  InfoOptions options;
};

ExitCode run_info(const InfoArguments& arguments) {
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

  if (arguments.options.json) {
    const auto json =
        model_json(checkpoint_json(checkpoint, arguments.options.hash), info, parts, parameters);
    write_stdout(json.dump(2) + "\n");
    return ExitCode::kOk;
  }
  print_out("{}\n", single_line(arguments.path().text()));
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
  print_left_out(checkpoint);
  print_weights_hash(checkpoint, arguments.options.hash);
  return ExitCode::kOk;
}

}  // namespace

void add_info_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<InfoArguments>();
  CLI::App* command = add_command(program, kInfo);
  add_model_options(*command, *arguments);
  add_info_options(*command, arguments->options);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_info(*arguments); }; });
}

}  // namespace niah
