#include "reports/analysis/served.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/variant_labels.h"

namespace niah::reports {
namespace {

constexpr int kBands = 10;
constexpr std::size_t kDifferingShown = 6;

/// Accumulates a TextAgreement.
class Agreement {
 public:
  /// Adds a pair of texts: nullopt if they are equal, else the characters before the first
  /// difference.
  void add(const std::optional<std::int64_t>& difference) {
    ++compared_;
    if (difference) differences_.push_back(static_cast<double>(*difference));
  }
  TextAgreement finish() const {
    TextAgreement out;
    out.compared = compared_;
    out.equal = compared_ - static_cast<std::int64_t>(differences_.size());
    if (differences_.empty()) return out;
    out.earliest =
        static_cast<std::int64_t>(*std::min_element(differences_.begin(), differences_.end()));
    out.median = median(differences_);
    return out;
  }

 private:
  std::int64_t compared_ = 0;
  std::vector<double> differences_;
};

/// The answers in a cell, or nullptr if none were kept.
const std::map<std::int64_t, KeptAnswer>* answers_of(const Results& results, const Cell& cell) {
  const auto at = results.answers.find({cell.variant, cell.kind, cell.task, cell.length});
  return at == results.answers.end() ? nullptr : &at->second;
}

/// The two answers to one sample; nullptr for one that was not kept.
struct AnswerPair {
  const KeptAnswer* local = nullptr;
  const KeptAnswer* served = nullptr;
};

AnswerPair find_answers(const Results& results, const Cell& local, const Cell& served,
                        std::int64_t index) {
  const auto find = [&](const Cell& cell) -> const KeptAnswer* {
    const auto* answers = answers_of(results, cell);
    if (answers == nullptr) return nullptr;
    const auto at = answers->find(index);
    return at == answers->end() ? nullptr : &at->second;
  };
  return {find(local), find(served)};
}

/// Puts cells side by side and gathers what is said over all of them.
class CellPairing {
 public:
  CellPairing(const Results& results, ServedComparison& out)
      : results_(results), out_(out), bands_(kBands), band_texts_(kBands) {}

  void add(const Cell& local, const Cell& served) {
    ServedCell cell;
    cell.task = served.task;
    cell.length = served.length;
    cell.unmeasured = served.unmeasured_count();
    Agreement texts;
    for_each_match({&local, &served}, [&](const std::vector<const Outcome*>& match) {
      const auto band = static_cast<std::size_t>(depth_band(match[0]->real_depth, kBands));
      for (PairCounts* counts : {&cell.pairs, &bands_[band], &out_.pairs})
        counts->add(match[0]->hit, match[1]->hit);
      const AnswerPair said = find_answers(results_, local, served, match[0]->index);
      if (said.local == nullptr || said.served == nullptr) return;
      const auto difference = first_difference(*said.local, *said.served);
      for (Agreement* agreement : {&texts, &band_texts_[band], &texts_}) agreement->add(difference);
      if (difference) keep(cell, match, said, *difference);
    });
    cell.texts = texts.finish();
    cell.p = mcnemar_two_sided(cell.pairs.only_first, cell.pairs.only_second);
    out_.cells.push_back(std::move(cell));
  }

  void finish() {
    out_.texts = texts_.finish();
    for (std::size_t i = 0; i < bands_.size(); ++i) {
      const double low = 100.0 * static_cast<double>(i) / kBands;
      out_.bands.push_back({low, low + 100.0 / kBands, bands_[i], band_texts_[i].finish()});
    }
    for (auto& kept : differing_)
      for (DifferingSample& sample : kept)
        if (out_.differing.size() < kDifferingShown) out_.differing.push_back(std::move(sample));
  }

 private:
  void keep(const ServedCell& cell, const std::vector<const Outcome*>& match,
            const AnswerPair& said, std::int64_t difference) {
    const bool local_hit = match[0]->hit, served_hit = match[1]->hit;
    std::vector<DifferingSample>& kept =
        differing_[local_hit == served_hit ? 2U : (local_hit ? 0U : 1U)];
    if (kept.size() == kDifferingShown) return;
    kept.push_back({cell.task, cell.length, match[0]->index, match[0]->real_depth, local_hit,
                    served_hit,
                    difference, said.local->text, said.served->text});
  }

  const Results& results_;
  ServedComparison& out_;
  std::vector<PairCounts> bands_;
  std::vector<Agreement> band_texts_;
  Agreement texts_;
  /// Samples lost by the server, gained by it, and with the same outcome on both sides.
  std::vector<std::vector<DifferingSample>> differing_{3};
};

/// The number of test families that share alpha: all cells together, and the single cells. With
/// only one cell they are the same.
double questions_of(const ServedComparison& comparison) {
  const auto cells = std::count_if(comparison.cells.begin(), comparison.cells.end(),
                                   [](const ServedCell& cell) { return cell.pairs.n() > 0; });
  return cells > 1 ? 2 : 1;
}

void test(ServedComparison& comparison) {
  const double questions = questions_of(comparison);
  comparison.p = mcnemar_two_sided(comparison.pairs.only_first, comparison.pairs.only_second);
  comparison.adjusted = std::min(1.0, questions * comparison.p);
  std::vector<ServedCell*> family;
  std::vector<double> p_values;
  for (ServedCell& cell : comparison.cells) {
    if (cell.pairs.n() == 0) continue;
    family.push_back(&cell);
    p_values.push_back(cell.p);
  }
  const std::vector<double> adjusted = holm(p_values);
  for (std::size_t i = 0; i < family.size(); ++i)
    family[i]->adjusted = std::min(1.0, questions * adjusted[i]);
  DropRule rule = comparison_rule(1);
  rule.factor *= questions;
  comparison.detectable =
      DropPower(comparison.pairs.n(), rule)
          .smallest_drop(kComparisonPower, static_cast<double>(comparison.pairs.noise()) /
                                               static_cast<double>(comparison.pairs.n()));
}

template <typename Part>
bool is_lost(const Part& part) {
  return part.pairs.only_first > part.pairs.only_second && part.adjusted <= kComparisonAlpha;
}

template <typename Part>
bool is_gained(const Part& part) {
  return part.pairs.only_second > part.pairs.only_first && part.adjusted <= kComparisonAlpha;
}

ServedComparison::Verdict judge(const ServedComparison& comparison) {
  using Verdict = ServedComparison::Verdict;
  if (is_lost(comparison) || comparison.worst_cell() != nullptr) return Verdict::kLoss;
  const bool any_gained =
      std::any_of(comparison.cells.begin(), comparison.cells.end(), is_gained<ServedCell>);
  if (is_gained(comparison) || any_gained) return Verdict::kGain;
  const bool is_coarse = !comparison.detectable || *comparison.detectable > kCoarsestUsefulDrop;
  const bool is_suspicious = -comparison.pairs.difference() > kSuspiciousDrop;
  return is_coarse || is_suspicious ? Verdict::kTooFew : Verdict::kNoLoss;
}

/// Counts the outcomes of the server's samples, which need no comparison.
void count_outcomes(const Results& results, ServedComparison& comparison) {
  for (const Cell& cell : results.cells) {
    if (cell.variant != comparison.variant) continue;
    comparison.asked += static_cast<std::int64_t>(cell.samples.size());
    for (const auto& [outcome, count] : cell.unmeasured) comparison.unmeasured[outcome] += count;
    comparison.unmeasured_details.insert(cell.unmeasured_details.begin(),
                                         cell.unmeasured_details.end());
    const auto* answers = answers_of(results, cell);
    if (answers == nullptr) continue;
    for (const auto& [index, answer] : *answers) {
      if (!answer.answered_by.empty()) ++comparison.answered_by[answer.answered_by];
      comparison.asked_twice += answer.same_again ? 1 : 0;
      comparison.answered_otherwise += answer.same_again == false ? 1 : 0;
      if (answer.again_failed.empty()) continue;
      if (comparison.failed_again++ == 0) comparison.failed_again_detail = answer.again_failed;
    }
  }
}

bool has_local_variant(const RunInfo& run, const std::string& model) {
  return std::any_of(run.variants.begin(), run.variants.end(), [&](const VariantInfo& variant) {
    return variant.model == model && variant.server.empty();
  });
}

ServedComparison compare(const Results& results, const VariantInfo& variant) {
  using Verdict = ServedComparison::Verdict;
  ServedComparison out;
  out.variant = variant.fingerprint;
  count_outcomes(results, out);
  const VariantInfo* local = find_checkpoint(results.run, variant);
  if (local == nullptr) {
    out.verdict = !has_local_variant(results.run, variant.model) ? Verdict::kAlone
                  : variant.same_as.empty()                      ? Verdict::kNotSaid
                                                                 : Verdict::kNotRun;
    return out;
  }
  out.local = local->fingerprint;
  CellPairing pairing(results, out);
  for (const Cell& cell : results.cells) {
    if (cell.kind != "recall" || cell.variant != variant.fingerprint) continue;
    const Cell* same = results.recall_cell(local->fingerprint, cell.task, cell.length);
    if (same != nullptr) pairing.add(*same, cell);
  }
  pairing.finish();
  out.verdict = Verdict::kNoPairs;
  if (out.pairs.n() == 0) return out;
  test(out);
  out.verdict = judge(out);
  return out;
}

}  // namespace

const ServedCell* ServedComparison::worst_cell() const {
  const ServedCell* worst = nullptr;
  for (const ServedCell& cell : cells)
    if (is_lost(cell) && (worst == nullptr || cell.pairs.difference() < worst->pairs.difference()))
      worst = &cell;
  return worst;
}

std::vector<ServedComparison> compare_served(const Results& results) {
  std::vector<ServedComparison> all;
  for (const VariantInfo& variant : results.run.variants)
    if (!variant.server.empty()) all.push_back(compare(results, variant));
  return all;
}

}  // namespace niah::reports
