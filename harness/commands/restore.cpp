// niah restore: a repaired checkpoint on disk.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/commands/commands.h"
#include "models/surgery/restore_checkpoint.h"

namespace niah {
namespace {

struct RestoreArguments {
  std::string pre, post, out, method, layers;
  bool no_biases = false;
  models::RestoreCheckpointOptions options;
};

std::int64_t read_layer(std::string_view text, const std::string& whole) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    throw UsageError(
        fmt::format("--layers '{}': a list such as 2,5-8 was expected", valid_utf8(whole)));
  return value;
}

/// "2,5-8" → 2, 5, 6, 7, 8.
std::vector<std::int64_t> read_layers(const std::string& text) {
  constexpr std::int64_t kMost = 10000;
  std::vector<std::int64_t> layers;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    const std::size_t dash = part.find('-');
    const std::int64_t first = read_layer(part.substr(0, dash), text);
    const std::int64_t last = dash == part.npos ? first : read_layer(part.substr(dash + 1), text);
    if (last < first || last > kMost) read_layer("", text);
    for (std::int64_t i = first; i <= last; ++i) layers.push_back(i);
    begin = end + 1;
  }
  return layers;
}

ExitCode run_restore(RestoreArguments arguments) {
  models::RestoreCheckpointOptions& options = arguments.options;
  options.restore.method = models::parse_restore_method(arguments.method);
  options.biases = !arguments.no_biases;
  if (!arguments.layers.empty()) options.layers = read_layers(arguments.layers);
  if (options.restore.lambda < 0)
    throw UsageError(fmt::format("--lambda {}: 0 or more was expected", options.restore.lambda));
  const models::RestoreSummary summary =
      models::restore_checkpoint(arguments.pre, arguments.post, arguments.out, options);
  double most = 0;
  for (const models::RestoredTensor& tensor : summary.tensors)
    most = std::max(most, tensor.relative_change);
  fmt::print("{}: {} tensors of layers {} from {}, everything else from {} ({})\n", arguments.out,
             summary.tensors.size(), fmt::join(summary.layers, ", "), arguments.pre, arguments.post,
             format_bytes(static_cast<double>(summary.bytes)));
  fmt::print("largest change of a tensor: {:.2g} of its norm\n", most);
  if (summary.residual)
    fmt::print("W_Q^T W_K is {:.2g} of its norm away from what it was before the fine-tune\n",
               *summary.residual);
  return ExitCode::kOk;
}

}  // namespace

void add_restore_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<RestoreArguments>();
  models::RestoreCheckpointOptions& options = arguments->options;
  CLI::App* command = add_command(
      program, "restore",
      "Write a fine-tuned checkpoint with W_Q and W_K put back to what they were before",
      "niah restore --pre base --post base-cot --out base-cot-qk --method qk");
  command->add_option("--pre", arguments->pre, "Checkpoint before the fine-tune")->required();
  command->add_option("--post", arguments->post, "Checkpoint after it")->required();
  command->add_option("--out", arguments->out, "Folder to write; must not be there")->required();
  command->add_option("--method", arguments->method, "qk, qk-pro, q, k or v")->required();
  command->add_option("--lambda", options.restore.lambda, "Ridge of qk-pro")->capture_default_str();
  command->add_option("--layers", arguments->layers,
                      "Softmax layers to restore, such as 2,5-8 (default: all)");
  command->add_option("--alpha", options.alpha, "How far: 0 is the fine-tune, 1 is restored")
      ->capture_default_str();
  command->add_flag("--windows", options.restore.windows, "Sliding-window layers, too");
  command->add_flag("--norms", options.norms, "q_norm and k_norm, too");
  command->add_flag("--no-biases", arguments->no_biases, "Leave the projections' biases");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_restore(*arguments); }; });
}

}  // namespace niah
