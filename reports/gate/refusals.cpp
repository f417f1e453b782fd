#include "reports/gate/refusals.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

void refuse_unless_same(const char* what, const std::string& baseline, const std::string& current) {
  if (baseline == current) return;
  throw DataError(fmt::format(
      "comparing with the baseline: the {} differs (baseline: {}; this run: {}), so the two were "
      "not asked the same; compare with a baseline of this {}",
      what, baseline, current, what));
}

std::string variant_list(const RunInfo& run) {
  std::vector<std::string> names;
  for (const VariantInfo& variant : run.variants)
    names.push_back(fmt::format("'{} {}'", variant.model, variant.name));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

void refuse_other_questions(const RunInfo& baseline, const RunInfo& current) {
  refuse_unless_same("protocol", baseline.protocol, current.protocol);
  refuse_unless_same("seed", std::to_string(baseline.seed), std::to_string(current.seed));
  if (!is_same_tokenizer(baseline, current))
    refuse_unless_same("tokenizer", baseline.tokenizer, current.tokenizer);
  refuse_unless_same("haystack", baseline.haystack, current.haystack);
}

void refuse_unknown_cell(const Results& baseline, const Tolerance& tolerance) {
  std::vector<std::string> names;
  for (const Cell& cell : baseline.cells) {
    const bool is_length = tolerance.length == 0 || cell.length == tolerance.length;
    if (cell.task == tolerance.task && is_length) return;
    if (std::find(names.begin(), names.end(), cell.task) == names.end()) names.push_back(cell.task);
  }
  throw UsageError(fmt::format("--tolerance: the baseline has no {}, it has {}",
                               cell_label(single_line(tolerance.task), tolerance.length),
                               fmt::join(names, ", ")));
}

void refuse_other_arithmetic(const RunInfo& baseline, const RunInfo& current,
                             const VariantPairs& variants) {
  if (!variants.has_local_pair) return;
  for (const ArithmeticDifference& difference : arithmetic_differences(baseline, current))
    if (difference.name == "device" || difference.name == "dtype")
      throw DataError(fmt::format(
          "comparing with the baseline: the {} differs (baseline: {}; this run: {}), which changes "
          "answers by itself; compare with a baseline of this {}, or give "
          "--allow-other-arithmetic",
          difference.name, difference.first, difference.second, difference.name));
}

void refuse_strangers(const RunInfo& baseline, const RunInfo& current,
                      const VariantPairs& variants) {
  const bool is_paired =
      std::any_of(variants.pairs.begin(), variants.pairs.end(),
                  [](const VariantPair& pair) { return pair.current != nullptr; });
  const bool has_server = std::any_of(current.variants.begin(), current.variants.end(),
                                      [](const VariantInfo& one) { return !one.server.empty(); });
  if (is_paired || has_server) return;  // how servers are paired is said in the notes
  throw DataError(fmt::format(
      "comparing with the baseline: it has {}, this run has {}, and none of the names is in both; "
      "give the models their old names in the config, or make a new baseline",
      variant_list(baseline), variant_list(current)));
}

}  // namespace niah::reports
