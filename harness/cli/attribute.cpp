// niah attribute: which part of the weights forgot.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_sweep.h"
#include "harness/cli/run_with_engines.h"
#include "harness/config/variant_words.h"
#include "harness/embedded_configs.h"
#include "harness/plan/plan.h"
#include "harness/plan/run_mark.h"
#include "models/surgery/changed_parts.h"
#include "reports/analysis/attribution.h"
#include "reports/analysis/part_path.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"

namespace niah {
namespace {

using models::RestoreOptions;

struct AttributeArguments {
  PairSweepArguments sweep{.options = {"runs/attribution", false}};
  std::vector<std::string> by_layer;
  bool quick = false;
  bool greedy = false;
  std::int64_t steps = 3;
};

VariantConfig variant_of(const RestoreOptions& options) {
  VariantConfig variant;
  variant.kind = VariantKind::kRestored;
  variant.role = reports::Role::kRestored;
  variant.restore = options;
  variant.name = restoration_name(options);
  variant.restored_from = "base";
  variant.fine_tune = "sft";
  return variant;
}

SweepConfig without_restorations(const AttributeArguments& arguments) {
  Overrides overrides;
  if (arguments.quick) {
    overrides.emplace_back("lengths", "[4K]");
    overrides.emplace_back("samples", "16");
    overrides.emplace_back("reasoning.samples", "20");
  }
  SweepConfig sweep =
      pair_sweep(arguments.sweep, kAttributionYaml, "attribution.yaml", std::move(overrides),
                 "Which part of the weights of " + arguments.sweep.family + " forgot");
  std::erase_if(sweep.models.front().variants,
                [](const VariantConfig& v) { return v.kind == VariantKind::kRestored; });
  return sweep;
}

/// The restorations of `model` that the run in `folder` asks for already; empty without a run.
std::vector<VariantConfig> restorations_in(const std::filesystem::path& folder,
                                           const std::string& model) {
  const std::filesystem::path plan = folder / "plan.json";
  std::vector<VariantConfig> restorations;
  if (!is_there(plan)) return restorations;
  const SweepConfig begun = parse_sweep(read_plan(folder).config_json, plan.string(), "/", {});
  for (const ModelConfig& one : begun.models)
    std::ranges::copy_if(one.variants, std::back_inserter(restorations),
                         [&](const VariantConfig& variant) {
                           return one.name == model && variant.kind == VariantKind::kRestored;
                         });
  return restorations;
}

/// A run that asks for more and more restorations of one pair, all in one folder.
class Search {
 public:
  explicit Search(const AttributeArguments& arguments)
      : arguments_(arguments),
        sweep_(without_restorations(arguments)),
        parts_(model().base, model().sft) {
    for (VariantConfig& variant : restorations_in(arguments.sweep.options.out, model().name)) {
      parts_.know(variant.restore);
      model().variants.push_back(std::move(variant));
    }
  }

  /// Asks each part or layer. The report is of what was asked so far, as with all that asks.
  reports::Report each() {
    if (arguments_.by_layer.empty() || arguments_.greedy) add(parts_.alone());
    if (!arguments_.by_layer.empty())
      add(parts_.by_layer(models::parse_weight_parts(arguments_.by_layer)));
    // On a path they come last: everything but one part may be the same as some others together.
    if (arguments_.by_layer.empty() && !arguments_.greedy) add(parts_.all_but());
    require_some();
    return run();
  }

  /// Then, time after time, what brings back the most beside what did so before.
  reports::Report path(reports::Report report) {
    while (const RestoreOptions* chosen = to_go_on_from(report)) {
      if (!add(parts_.one_more(*chosen))) break;
      report = run();
    }
    return add(parts_.all_but()) ? run() : std::move(report);
  }

 private:
  ModelConfig& model() { return sweep_.models.front(); }
  reports::Report run() { return run_with_engines(sweep_, arguments_.sweep.options); }

  /// Returns whether there are any.
  bool add(const std::vector<RestoreOptions>& restorations) {
    for (const RestoreOptions& options : restorations)
      model().variants.push_back(variant_of(options));
    describe_all(model().variants);
    return !restorations.empty();
  }

  void require_some() {
    if (find_kind(model().variants, VariantKind::kRestored) != nullptr) return;
    throw DataError(
        fmt::format("attributing: {} and {} differ in one part of the weights at most{}, so there "
                    "is nothing to tell apart; `niah diagnose` says what moved",
                    model().base.text(), model().sft.text(),
                    arguments_.by_layer.empty() ? "" : ", and that in one layer"));
  }

  /// The last step of the path; nullptr where it ends: after --steps, where the loss is back, where
  /// nothing adds to it, and where there is no loss.
  const RestoreOptions* to_go_on_from(const reports::Report& report) {
    const auto& found = report.analysis.attributions;
    if (found.empty() || found.front().path.steps.empty()) return nullptr;
    const reports::PartPath& path = found.front().path;
    const reports::PartEffect& last = path.steps.back().effect;
    if (path.nothing_adds || reports::is_back(last.recovered) ||
        static_cast<std::int64_t>(path.steps.size()) >= arguments_.steps)
      return nullptr;
    say("{}: {} brought back; asking what adds to it\n", reports::part_in_words(last.part),
        reports::percent_words(last.recovered.fraction));
    const std::string& name = reports::find_variant(report.results.run, last.variant)->name;
    return &std::ranges::find(model().variants, name, &VariantConfig::name)->restore;
  }

  const AttributeArguments& arguments_;
  SweepConfig sweep_;
  models::ChangedParts parts_;
};

ExitCode run_attribute(const AttributeArguments& arguments) {
  return run_pair_sweep(
      [&] {
        Search search(arguments);
        reports::Report report = search.each();
        return arguments.greedy ? search.path(std::move(report)) : report;
      },
      arguments.sweep.options.out);
}

}  // namespace

void add_attribute_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<AttributeArguments>();
  CLI::App* command = add_command(program, kAttribute);
  command->add_flag("--quick", arguments->quick, "A first look: 4K alone, 16 samples a cell");
  command
      ->add_option("--by-layer", arguments->by_layer,
                   "Restore these parts layer by layer, such as q,k (parts as in `niah restore "
                   "--parts`); without --greedy instead of all parts alone")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  CLI::Option* greedy = command->add_flag(
      "--greedy", arguments->greedy,
      "Also follow a path: beside the part that brings back the most, ask which part "
      "adds the most, and so on until the loss is back or nothing adds to it");
  add_integer(*command, "--steps", arguments->steps, {1, 100}, "The most steps of that path")
      ->needs(greedy);
  add_pair_sweep_options(*command, arguments->sweep, "attribution.yaml");
  command->callback([arguments, &chosen] {
    chosen = [arguments] {
      return with_mark(arguments->sweep.options.out, [&] { return run_attribute(*arguments); });
    };
  });
}

}  // namespace niah
