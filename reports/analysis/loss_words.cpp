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
struct Changes {
  std::int64_t cells = 0;
  std::int64_t lost = 0, gained = 0, too_few = 0;
  const Comparison* worst = nullptr;  ///< the largest loss
  const Comparison* best = nullptr;   ///< the largest gain
  PairCounts together{};              ///< of all cells
  std::int64_t smallest_n = 0;
  std::optional<double> detectable = 0;  ///< in every cell; nullopt where one would show none

  void add(const Comparison& c) {
    smallest_n = cells == 0 ? c.pairs.n() : std::min(smallest_n, c.pairs.n());
    ++cells;
    together += c.pairs;
    detectable = detectable && c.detectable ? std::optional(std::max(*detectable, *c.detectable))
                                            : std::nullopt;
    const Change change = c.change();
    const double difference = c.pairs.difference();
    too_few += change == Change::kTooFew ? 1 : 0;
    lost += change == Change::kLost ? 1 : 0;
    gained += change == Change::kGained ? 1 : 0;
    if (change == Change::kLost && (worst == nullptr || difference < worst->pairs.difference()))
      worst = &c;
    if (change == Change::kGained && (best == nullptr || difference > best->pairs.difference()))
      best = &c;
  }

  /// Whether all cells together show a change that no single one may show, and in what direction.
  bool are_lost_together() const {
    return cells > 1 && together.difference() < 0 && is_significant_together(together);
  }
  bool are_gained_together() const {
    return cells > 1 && together.difference() > 0 && is_significant_together(together);
  }
};

Changes changes_of(const Results& results, const Analysis& analysis, const VariantInfo& variant) {
  Changes changes;
  const std::string& reference = reference_of(results.run, variant).fingerprint;
  for (const Comparison& c : analysis.comparisons)
    if (c.kind == "recall" && c.variant == variant.fingerprint && c.reference == reference)
      changes.add(c);
  return changes;
}

std::string no_loss_words(const std::string& name, const Changes& changes) {
  if (!changes.detectable)
    return fmt::format("{}: n is too small to tell (n = {}{} cannot show any loss).", name,
                       changes.smallest_n,
                       changes.cells == 1 ? "" : fmt::format(" in one of {} cells", changes.cells));
  const std::string found =
      changes.too_few == 0 ? fmt::format("no measurable loss in {}", counted(changes.cells, "cell"))
                           : fmt::format("n is too small to tell in {} of {}", changes.too_few,
                                         counted(changes.cells, "cell"));
  return fmt::format("{}: {} (n from {}: a drop of {} points in {} would show four times in five).",
                     name, found, changes.smallest_n, detectable_points(*changes.detectable),
                     among_tests(changes.cells));
}

/// "from 100 % to 12 % (n = 8)".
std::string from_to_words(const PairCounts& pairs) {
  return fmt::format("from {} to {} (n = {})", percent_words(pairs.first_recall()),
                     percent_words(pairs.second_recall()), pairs.n());
}

/// "in 3 of 6 cells, most in S3 at 16K: from 100 % to 12 % (n = 8)".
std::string in_cells(std::int64_t count, std::int64_t cells, const Comparison& most) {
  return fmt::format("in {} of {}, most in {}: {}", count, counted(cells, "cell"),
                     cell_label(most.task, most.length), from_to_words(most.pairs));
}

/// The sentence that says that a variant gained. A fine-tune is expected to lose, if anything.
std::string gain_words(const Results& results, const VariantInfo& variant,
                       const std::string& where) {
  const std::string base = label_of(results.run, reference_of(results.run, variant));
  std::string text =
      fmt::format("{} finds more than {} {}.", label_of(results.run, variant), base, where);
  if (variant.role == Role::kTuned)
    text += fmt::format(" If {} should be the better one, the pair is named the wrong way round.",
                        base);
  return text;
}

}  // namespace

bool has_lost(const Results& results, const Analysis& analysis, const VariantInfo& variant) {
  const Changes changes = changes_of(results, analysis, variant);
  return changes.lost > 0 || (changes.gained == 0 && changes.are_lost_together());
}

bool would_show_loss(const Results& results, const Analysis& analysis, const VariantInfo& variant) {
  return changes_of(results, analysis, variant).detectable.has_value();
}

std::optional<Recovered> brought_back(const Results& results, const Analysis& analysis,
                                      const VariantInfo& restored) {
  const VariantInfo* tuned = find_variant(results.run, restored.model, restored.fine_tune);
  if (tuned != nullptr && !has_lost(results, analysis, *tuned)) return std::nullopt;
  return pooled_recovery(analysis.recoveries, restored.fingerprint);
}

std::string loss_words(const Results& results, const Analysis& analysis,
                       const VariantInfo& variant) {
  const Changes changes = changes_of(results, analysis, variant);
  if (changes.cells == 0) return "";
  const std::string name = label_of(results.run, variant);
  const std::string together =
      fmt::format("over {} together: {}; the samples of one cell are too few to show it",
                  changes.cells == 2 ? "both cells" : fmt::format("all {} cells", changes.cells),
                  from_to_words(changes.together));
  if (changes.lost > 0) {
    const std::string lost = fmt::format("{} lost recall {}", name,
                                         in_cells(changes.lost, changes.cells, *changes.worst));
    if (changes.gained == 0) return lost + ".";
    return fmt::format("{}; it gained {}.", lost,
                       in_cells(changes.gained, changes.cells, *changes.best));
  }
  if (changes.gained > 0)
    return gain_words(results, variant, in_cells(changes.gained, changes.cells, *changes.best));
  if (changes.are_lost_together()) return fmt::format("{} lost recall {}.", name, together);
  if (changes.are_gained_together()) return gain_words(results, variant, together);
  return no_loss_words(name, changes);
}

}  // namespace niah::reports
