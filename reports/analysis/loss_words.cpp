#include "reports/analysis/loss_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "reports/analysis/variant_labels.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// Sums over a variant's comparisons with its reference.
struct Losses {
  std::int64_t cells = 0;
  std::int64_t lost = 0;  ///< significantly, after Holm
  const Comparison* worst = nullptr;
  PairCounts together{};  ///< of all cells
  std::int64_t smallest_n = 0;
  std::optional<double> detectable = 0;  ///< in every cell; nullopt where one would show none
};

Losses losses_of(const Results& results, const Analysis& analysis, const VariantInfo& variant) {
  Losses losses;
  const std::string& reference = reference_of(results.run, variant).fingerprint;
  for (const Comparison& c : analysis.comparisons) {
    if (c.kind != "recall" || c.variant != variant.fingerprint || c.reference != reference)
      continue;
    losses.smallest_n = losses.cells == 0 ? c.pairs.n() : std::min(losses.smallest_n, c.pairs.n());
    ++losses.cells;
    losses.together += c.pairs;
    losses.detectable = losses.detectable && c.detectable
                            ? std::optional(std::max(*losses.detectable, *c.detectable))
                            : std::nullopt;
    if (c.pairs.difference() >= 0 || c.adjusted > kComparisonAlpha) continue;
    ++losses.lost;
    if (losses.worst == nullptr || c.pairs.difference() < losses.worst->pairs.difference())
      losses.worst = &c;
  }
  return losses;
}

std::string no_loss_words(const std::string& name, const Losses& losses) {
  if (!losses.detectable)
    return fmt::format("{}: n is too small to tell (n = {} in one of {} cannot show any loss).",
                       name, losses.smallest_n, counted(losses.cells, "cell"));
  return fmt::format(
      "{}: no measurable loss in {} (n from {}: a drop of {} points in {} would show four times "
      "in five).",
      name, counted(losses.cells, "cell"), losses.smallest_n, detectable_points(*losses.detectable),
      among_tests(losses.cells));
}

/// "from 100 % to 12 % (n = 8)".
std::string fall_words(const PairCounts& pairs) {
  return fmt::format("from {} to {} (n = {})", percent_words(pairs.first_recall()),
                     percent_words(pairs.second_recall()), pairs.n());
}

/// Whether several cells together show a significant loss, which no single one may show.
bool is_lost_together(const Losses& losses) {
  const PairCounts& all = losses.together;
  return losses.cells > 1 && all.difference() < 0 &&
         mcnemar_two_sided(all.only_first, all.only_second) <= kComparisonAlpha;
}

}  // namespace

std::string loss_words(const Results& results, const Analysis& analysis,
                       const VariantInfo& variant) {
  const Losses losses = losses_of(results, analysis, variant);
  if (losses.cells == 0) return "";
  const std::string name = label_of(results.run, variant);
  if (losses.lost == 0 && is_lost_together(losses))
    return fmt::format(
        "{} lost recall over all {} together: {}; the samples of one cell are too few to show it.",
        name, counted(losses.cells, "cell"), fall_words(losses.together));
  if (losses.lost == 0) return no_loss_words(name, losses);
  return fmt::format("{} lost recall in {} of {}, most in {}: {}.", name, losses.lost,
                     counted(losses.cells, "cell"),
                     cell_label(losses.worst->task, losses.worst->length),
                     fall_words(losses.worst->pairs));
}

}  // namespace niah::reports
