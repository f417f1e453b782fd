// niah restore: a repaired checkpoint on disk.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "harness/base/memory.h"
#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/cli/command.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_options.h"
#include "models/surgery/restore_adapter.h"
#include "models/surgery/restore_checkpoint.h"
#include "reports/format.h"

namespace niah {
namespace {

struct RestoreArguments {
  PairArguments pair;
  std::string out, method, layers;
  std::vector<std::string> parts;
  bool no_biases = false, merge = false, has_lambda = false;
  models::RestoreCheckpointOptions options;
};

/// " of layers 2, 5"; nothing where all lies outside the layers.
std::string layers_in_words(const std::vector<std::int64_t>& layers) {
  if (layers.empty()) return "";
  return fmt::format(" of {} {}", layers.size() == 1 ? "layer" : "layers", fmt::join(layers, ", "));
}

/// A tensor that was not finite before has no change that could be measured.
void print_largest_change(const std::vector<models::RestoredTensor>& tensors) {
  double largest = 0;
  std::string unmeasured;
  for (const models::RestoredTensor& tensor : tensors)
    if (std::isfinite(tensor.relative_change))
      largest = std::max(largest, tensor.relative_change);
    else
      unmeasured = tensor.name;
  print_out("largest change of a tensor: {:.2g} % of its norm{}\n", 100 * largest,
            unmeasured.empty()
                ? ""
                : single_line(fmt::format(" (not of {}, which the fine-tune left with numbers that "
                                          "are not finite)",
                                          unmeasured)));
}

/// Prints what was written, and from which checkpoint each part of it came.
void print_summary(const models::RestoreSummary& summary, const models::CheckpointPath& pre,
                   const models::CheckpointPath& post, const std::string& out) {
  const std::string what =
      summary.tensors.empty()
          ? "with alpha 0 nothing is restored, everything is"
          : fmt::format(
                "{}{} from {}, everything else",
                reports::counted(static_cast<std::int64_t>(summary.tensors.size()), "tensor"),
                layers_in_words(summary.layers), pre.text());
  print_out("{}\n", single_line(fmt::format("{}: {} from {} ({})", out, what, post.text(),
                                            format_bytes(static_cast<double>(summary.bytes)))));
  if (summary.has_new_initialisation)
    print_out(
        "init_lora_weights of its adapter_config.json is true now: PEFT would have drawn the "
        "factors that were left out at random\n");
  if (summary.tensors.empty()) return;
  print_largest_change(summary.tensors);
  if (summary.residual)
    print_out("W_Q^T W_K is {:.2g} % of its norm away from what it was before the fine-tune\n",
              100 * *summary.residual);
}

/// Reads --parts, which other options that name parts do not go with.
void read_parts(RestoreArguments& arguments) {
  models::RestoreCheckpointOptions& options = arguments.options;
  if (options.restore.method != models::RestoreMethod::kParts) {
    if (!arguments.parts.empty() || options.restore.complement)
      throw UsageError("--parts and --complement belong to --method parts");
    return;
  }
  if (arguments.parts.empty())
    throw UsageError("--method parts needs --parts, what is put back, such as --parts q,k,mlp");
  if (options.linear || options.norms || options.gates)
    throw UsageError(
        "--linear, --norms and --gates do not go with --method parts: name them in --parts "
        "(linear, norms, gate)");
  options.restore.parts = models::parse_weight_parts(arguments.parts);
}

ExitCode run_restore(RestoreArguments arguments) {
  models::RestoreCheckpointOptions& options = arguments.options;
  options.restore.method = models::parse_restore_method(arguments.method);
  options.biases = !arguments.no_biases;
  if (!arguments.layers.empty()) options.restore.layers = models::parse_layers(arguments.layers);
  if (arguments.has_lambda && options.restore.method != models::RestoreMethod::kQkPro)
    throw UsageError("--lambda belongs to --method qk-pro; leave it out, or choose that method");
  if (options.restore.lambda < 0)
    throw UsageError(fmt::format("--lambda {}: 0 or more was expected", options.restore.lambda));
  read_parts(arguments);
  return_large_blocks();
  const models::CheckpointPath pre = arguments.pair.before(), post = arguments.pair.after();
  if (arguments.merge && !post.has_adapter())
    throw UsageError("--merge belongs to --adapter: without one there is nothing to merge");
  const auto restore =
      post.has_adapter() && !arguments.merge ? models::restore_adapter : models::restore_checkpoint;
  arguments.pair.warn_of_adapters_beside();
  print_summary(restore(pre, post, arguments.out, options), pre, post, arguments.out);
  return ExitCode::kOk;
}

}  // namespace

void add_restore_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<RestoreArguments>();
  models::RestoreCheckpointOptions& options = arguments->options;
  CLI::App* command = add_command(program, kRestore);
  add_pair_options(*command, arguments->pair);
  command->add_option("--out", arguments->out, "Folder to write: a new or an empty one")
      ->type_name(kFolderValue)
      ->required();
  command
      ->add_option("--method", arguments->method,
                   "What is put back: qk (W_Q and W_K), q, k or v (one of them), qk-pro (W_K, and "
                   "W_Q towards the old W_Q^T W_K), qk-pro-exact (the nearest with the old W_Q^T "
                   "W_K), parts (see --parts)")
      ->type_name("{qk|qk-pro|qk-pro-exact|q|k|v|parts}")
      ->required();
  command
      ->add_option("--parts", arguments->parts,
                   "Of parts: q, k, v, o and gate of the softmax layers; norms; linear (the linear "
                   "layers' mixers); conv; mlp; experts; embedding; head; such as q,k,mlp")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  command->add_flag("--complement", options.restore.complement,
                    "Of parts: put back everything else instead, in all layers");
  add_number(*command, "--lambda", options.restore.lambda, {.low = 0},
             "Of qk-pro: from 0 (as qk) upwards (towards k)");
  command
      ->add_option(
          "--layers", arguments->layers,
          "Restore only these layers, by their numbers from 0, such as 2,5-8 (default: all; the "
          "embedding and the head are in none)")
      ->type_name("LIST");
  add_number(*command, "--alpha", options.restore.alpha, {0, 1},
             "How far to go: 0 leaves the fine-tune as it is, 1 restores all of it");
  command->add_flag("--windows", options.restore.windows, "Restore sliding-window layers, too");
  command->add_flag("--linear", options.linear,
                    "Restore the linear layers' projections, too (with q, k, v and qk)");
  command->add_flag("--norms", options.norms, "Restore q_norm and k_norm, too");
  command->add_flag("--gates", options.gates, "Restore the output gates, too");
  command->add_flag("--no-biases", arguments->no_biases,
                    "Leave the projections' biases as the fine-tune made them");
  command->add_flag("--merge", arguments->merge,
                    "With --adapter: write a merged checkpoint, not an adapter (--alpha 0 merges "
                    "and restores nothing)");
  command->callback([arguments, command, &chosen] {
    arguments->has_lambda = command->count("--lambda") > 0;
    chosen = [arguments] { return run_restore(*arguments); };
  });
}

}  // namespace niah
