// niah attribute: which part of the weights forgot.
#include <fmt/format.h>

#include <utility>

#include "harness/base/error.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_sweep.h"
#include "harness/config/variant_words.h"
#include "harness/embedded_configs.h"
#include "harness/plan/run_mark.h"
#include "models/surgery/changed_parts.h"

namespace niah {
namespace {

struct AttributeArguments {
  PairSweepArguments sweep{.options = {"runs/attribution", false}};
  std::vector<std::string> by_layer;
  bool quick = false;
};

VariantConfig variant_of(const models::RestoreOptions& options) {
  VariantConfig variant;
  variant.kind = VariantKind::kRestored;
  variant.role = reports::Role::kRestored;
  variant.restore = options;
  variant.name = restoration_name(options);
  variant.restored_from = "base";
  variant.fine_tune = "sft";
  return variant;
}

/// The restorations that tell the pair's parts apart, or its layers.
std::vector<models::RestoreOptions> restorations_of(const ModelConfig& model,
                                                    const std::vector<std::string>& by_layer) {
  if (by_layer.empty()) return models::distinct_restorations(model.base, model.sft);
  return models::restorations_by_layer(model.base, model.sft, models::parse_weight_parts(by_layer));
}

SweepConfig attribution_sweep(const AttributeArguments& arguments) {
  Overrides overrides;
  if (arguments.quick) {
    overrides.emplace_back("lengths", "[4K]");
    overrides.emplace_back("samples", "16");
  }
  SweepConfig sweep =
      pair_sweep(arguments.sweep, kAttributionYaml, "attribution.yaml", std::move(overrides),
                 "Which part of the weights of " + arguments.sweep.family + " forgot");
  ModelConfig& model = sweep.models.front();
  std::erase_if(model.variants,
                [](const VariantConfig& v) { return v.kind == VariantKind::kRestored; });
  const auto restorations = restorations_of(model, arguments.by_layer);
  if (restorations.empty())
    throw DataError(
        fmt::format("attributing: {} and {} differ in one part of the weights at most{}, so there "
                    "is nothing to tell apart; `niah diagnose` says what moved",
                    model.base.text(), model.sft.text(),
                    arguments.by_layer.empty() ? "" : ", and that in one layer"));
  for (const models::RestoreOptions& options : restorations)
    model.variants.push_back(variant_of(options));
  describe_all(model.variants);
  return sweep;
}

ExitCode run_attribute(const AttributeArguments& arguments) {
  return run_pair_sweep(attribution_sweep(arguments), arguments.sweep.options);
}

}  // namespace

void add_attribute_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<AttributeArguments>();
  CLI::App* command = add_command(program, kAttribute);
  command->add_flag("--quick", arguments->quick, "A first look: 4K alone, 16 samples a cell");
  command
      ->add_option("--by-layer", arguments->by_layer,
                   "Restore these parts layer by layer instead, such as q,k (parts as in `niah "
                   "restore --parts`)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  add_pair_sweep_options(*command, arguments->sweep, "attribution.yaml");
  command->callback([arguments, &chosen] {
    chosen = [arguments] {
      return with_mark(arguments->sweep.options.out, [&] { return run_attribute(*arguments); });
    };
  });
}

}  // namespace niah
