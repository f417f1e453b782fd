#include "reports/analysis/findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "harness/base/units.h"
#include "reports/analysis/attribution.h"
#include "reports/analysis/loss_words.h"
#include "reports/analysis/one_checkpoint.h"
#include "reports/analysis/served_words.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// A wider interval is reported as too wide to say how much was recovered.
constexpr double kWidestUsefulInterval = 0.8;

/// Names the fine-tune, since "its loss" would be ambiguous after a sentence about another variant.
std::string whose_loss(const RunInfo& run, const VariantInfo& restored) {
  const VariantInfo* tuned = find_variant(run, restored.model, restored.fine_tune);
  return tuned == nullptr ? "the loss" : "what " + label_of(run, *tuned) + " lost";
}

/// The restoration that the headline is about; the points cover the others.
const VariantInfo* first_restored(const RunInfo& run, const std::string& model) {
  const auto at = std::find_if(run.variants.begin(), run.variants.end(), [&](const VariantInfo& v) {
    return v.model == model && v.role == Role::kRestored;
  });
  return at == run.variants.end() ? nullptr : &*at;
}

std::string headline_of_model(const Results& results, const Analysis& analysis,
                              const std::string& model) {
  std::string text;
  const auto add = [&](const std::string& sentence) {
    if (!sentence.empty()) text += (text.empty() ? "" : " ") + sentence;
  };
  for (const VariantInfo& variant : results.run.variants) {
    const bool may_lose = variant.role == Role::kTuned || variant.role == Role::kControl;
    if (variant.model != model || !may_lose || is_second_way(variant)) continue;
    add(loss_words(results, analysis, variant));
  }
  const VariantInfo* restored = first_restored(results.run, model);
  if (restored == nullptr) return text;
  if (const auto recovered = brought_back(results, analysis, *restored))
    add(fmt::format("Over all cells together {} brought back {} of {} ({}).",
                    label_of(results.run, *restored), percent_words(recovered->fraction),
                    whose_loss(results.run, *restored), interval_words(*recovered)));
  return text;
}

/// The recall of one variant at the shortest and longest length, for runs that compare nothing.
std::string ends_words(const Results& results, const VariantInfo& variant,
                       const std::string& task) {
  std::vector<const Cell*> cells;
  for (const std::int64_t length : results.run.lengths) {
    const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
    if (cell != nullptr && cell->n > 0) cells.push_back(cell);
  }
  if (cells.empty()) return "";
  const auto words = [](const Cell& cell) {
    return fmt::format("{} at {} (n = {})", percent_words(cell.recall()),
                       format_length(cell.length), cell.n);
  };
  std::string text = fmt::format("{}, {}: {}", task_label(task), label_of(results.run, variant),
                                 words(*cells.front()));
  if (cells.size() > 1) text += ", " + words(*cells.back());
  return text + ".";
}

/// The recovery to report for a task: the one with the largest established loss, or else the one at
/// the longest length.
const Recovery* telling_recovery(const Analysis& analysis, const VariantInfo& variant,
                                 const std::string& task) {
  const Recovery* chosen = nullptr;
  const auto rank = [](const Recovery& r) {
    const bool established = r.verdict == Recovery::Verdict::kRecovered;
    return std::pair(established, established ? r.base_recall() - r.sft_recall()
                                              : static_cast<double>(r.length));
  };
  for (const Recovery& r : analysis.recoveries) {
    if (r.restored != variant.fingerprint || r.task != task) continue;
    if (chosen == nullptr || rank(r) > rank(*chosen)) chosen = &r;
  }
  return chosen;
}

void add_recall_points(const Results& results, const Analysis& analysis, const std::string& model,
                       std::vector<std::string>& points) {
  const VariantInfo* restored = first_restored(results.run, model);
  for (const std::string& task : results.run.tasks) {
    const Recovery* recovery =
        restored == nullptr ? nullptr : telling_recovery(analysis, *restored, task);
    if (recovery != nullptr) {
      points.push_back(recovery_in_words(results.run, *recovery));
      continue;
    }
    for (const VariantInfo& variant : results.run.variants) {
      const std::string words =
          variant.model == model ? ends_words(results, variant, task) : std::string();
      if (!words.empty()) points.push_back(words);
    }
  }
}

/// The restorations that tell of parts, by fingerprint: sentences and a table of their own have
/// them.
std::set<std::string> told_by_parts(const Analysis& analysis, const std::string& model) {
  std::set<std::string> told;
  for (const Attribution& found : analysis.attributions) {
    if (found.model != model) continue;
    for (const auto* effects : {&found.alone, &found.all_but})
      for (const PartEffect& effect : *effects) told.insert(effect.variant);
    told.insert(found.path.asked_for_it.begin(), found.path.asked_for_it.end());
  }
  return told;
}

/// Says what restorations of parts tell.
void add_attribution(const Results& results, const Analysis& analysis, const std::string& model,
                     std::vector<std::string>& points) {
  for (const Attribution& found : analysis.attributions)
    if (found.model == model)
      for (std::string& sentence : attribution_in_words(results, found))
        points.push_back(std::move(sentence));
}

void add_other_restorations(const Results& results, const Analysis& analysis,
                            const std::string& model, std::vector<std::string>& points) {
  const VariantInfo* first = first_restored(results.run, model);
  const std::set<std::string> told = told_by_parts(analysis, model);
  add_attribution(results, analysis, model, points);
  std::string text, last_loss;
  for (const VariantInfo& variant : results.run.variants) {
    if (variant.model != model || variant.role != Role::kRestored || &variant == first) continue;
    if (told.contains(variant.fingerprint)) continue;
    const auto recovered = brought_back(results, analysis, variant);
    if (!recovered) continue;
    const std::string loss = whose_loss(results.run, variant);
    text += fmt::format("{}{} brought back {}{} ({})", text.empty() ? "" : "; ",
                        label_of(results.run, variant), percent_words(recovered->fraction),
                        loss == last_loss ? "" : " of " + loss, interval_words(*recovered));
    last_loss = loss;
  }
  if (!text.empty()) points.push_back("Over all cells together " + text + ".");
}

/// Adds the verdicts on a model's servers after the findings on the model itself.
void add_served(const Results& results, const Analysis& analysis, const std::string& model,
                Findings& findings) {
  for (const ServedComparison& comparison : analysis.served) {
    if (find_variant(results.run, comparison.variant)->model != model) continue;
    const bool is_alone = comparison.verdict == ServedComparison::Verdict::kAlone;
    (is_alone ? findings.points : findings.headlines)
        .push_back(served_verdict(results, comparison));
    const std::string texts = served_texts(results, comparison);
    if (!texts.empty()) findings.points.push_back(texts);
    for (std::string& remark : served_remarks(results, comparison))
      findings.warnings.push_back(std::move(remark));
  }
}

void add_reasoning_points(const Results& results, const Analysis& analysis,
                          const std::string& model, std::vector<std::string>& points) {
  std::set<std::string> told = told_by_parts(analysis, model);
  if (const VariantInfo* first = first_restored(results.run, model)) told.erase(first->fingerprint);
  for (const std::string& task : results.reasoning_tasks()) {
    std::string text;
    std::int64_t last_n = 0;
    for (const VariantInfo& variant : results.run.variants) {
      const Cell* cell = results.reasoning_cell(variant.fingerprint, task);
      if (variant.model != model || cell == nullptr || cell->n == 0) continue;
      if (told.contains(variant.fingerprint)) continue;
      text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", label_of(results.run, variant),
                          text.empty() ? "solves " : "", percent_words(cell->recall()));
      if (cell->n != last_n) text += fmt::format(" (n = {})", cell->n);
      last_n = cell->n;
    }
    if (!text.empty()) points.push_back(fmt::format("Reasoning: of {}, {}.", task, text));
  }
}

/// Omits the details of served variants, which their own findings give in full.
void add_unmeasured_warning(const Results& results, std::vector<std::string>& warnings) {
  std::map<std::string, std::int64_t> outcomes;
  std::map<std::string, std::string> details;
  std::int64_t samples = 0, cells = 0, again = 0;
  for (const Cell& cell : results.cells) {
    cells += cell.unmeasured.empty() ? 0 : 1;
    samples += cell.unmeasured_count();
    for (const auto& [outcome, count] : cell.unmeasured) {
      outcomes[outcome] += count;
      again += is_asked_again(outcome) ? count : 0;
    }
    const VariantInfo* variant = find_variant(results.run, cell.variant);
    if (variant != nullptr && variant->server.empty())
      details.insert(cell.unmeasured_details.begin(), cell.unmeasured_details.end());
  }
  if (samples == 0) return;
  std::string text = fmt::format(
      "{} in {} could not be measured: {}. They count neither as hits nor as misses",
      counted(samples, "sample"), counted(cells, "cell"), unmeasured_words(outcomes, details));
  if (again > 0)
    text += fmt::format("; the same `niah run` asks {} again",
                        again == samples ? (again == 1 ? "it" : "them") : format_count(again));
  warnings.push_back(text + ".");
}

/// The first items of a list, and the number of the rest.
std::string some_of(const std::vector<std::string>& list) {
  constexpr std::size_t kMost = 12;
  const std::size_t shown = std::min(kMost, list.size());
  std::string text =
      fmt::format("{}", fmt::join(list.begin(), list.begin() + static_cast<long>(shown), ", "));
  if (shown < list.size()) text += fmt::format(" and {} more", list.size() - shown);
  return text;
}

/// Warns of journal records that do not belong to this plan or could not be read.
void add_journal_warnings(const Results& results, std::vector<std::string>& warnings) {
  if (results.torn)
    warnings.emplace_back(
        "The journal's last line has no end, as a crash leaves it, and was left out; the same "
        "`niah run` asks its sample again.");
  if (results.ignored > 0) {
    std::vector<std::string> list;
    for (const auto& [what, count] : results.left_out)
      list.push_back(fmt::format("{} ({})", what, format_count(count)));
    warnings.push_back(fmt::format(
        "{} of the journal {} not of this run's plan and {} left out{}{}.",
        counted(results.ignored, "record"), results.ignored == 1 ? "is" : "are",
        results.ignored == 1 ? "was" : "were", list.empty() ? "" : ": ", some_of(list)));
  }
  const std::int64_t others = count_other_prompts(results);
  if (others > 0)
    warnings.push_back(fmt::format(
        "{} {} another prompt than the same sample of another variant; such samples are not "
        "compared.",
        counted(others, "record"), others == 1 ? "has" : "have"));
}

void add_missing_warning(const Results& results, std::vector<std::string>& warnings) {
  const std::vector<MissingSamples> missing = missing_samples(results);
  if (missing.empty()) return;
  const std::int64_t samples = count_missing(missing);
  std::vector<std::string> list;
  for (const MissingSamples& one : missing)
    list.push_back(fmt::format("{} {} ({} of {}{})", label_of(results.run, one.variant),
                               cell_label(one.cell.task, one.cell.length), one.found,
                               one.cell.may_end_early ? "up to " : "", one.cell.samples));
  const std::optional<Shard>& shard = results.run.shard;
  const std::string why =
      shard && shard->of > 1
          ? fmt::format("This run is shard {} of {} alone: merge it with the others", shard->number,
                        shard->of)
          : "A shard was not merged, or the run did not end: merge it as well, or run the same "
            "`niah run` again";
  warnings.push_back(fmt::format("{} that the plan asks for {} no record: {}. {}.",
                                 counted(samples, "sample"), samples == 1 ? "has" : "have",
                                 some_of(list), why));
}

void add_gap_warning(const Results& results, std::vector<std::string>& warnings) {
  std::int64_t gaps = 0;
  for (const VariantInfo& variant : results.run.variants)
    for (const std::string& task : results.run.tasks)
      for (const std::int64_t length : results.run.lengths) {
        const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
        const bool is_gap = cell == nullptr || cell->n == 0;
        gaps += is_gap && results.asks(task, length) ? 1 : 0;
      }
  if (gaps > 0)
    warnings.push_back(
        fmt::format("{} of the plan {} no measurement; a gap is not a recall of zero.",
                    counted(gaps, "cell"), gaps == 1 ? "has" : "have"));
}

/// Variants that missed as often, and as often by their form.
struct FormatMisses {
  std::int64_t format = 0;
  std::int64_t misses = 0;
  std::vector<std::string> labels;
};

std::vector<FormatMisses> many_format_misses(const Results& results) {
  constexpr double kWorthSaying = 0.2;
  constexpr std::int64_t kFew = 4;  // too few to matter
  std::vector<FormatMisses> groups;
  for (const VariantInfo& variant : results.run.variants) {
    std::int64_t misses = 0;
    std::int64_t format = 0;
    for (const Cell& cell : results.cells) {
      if (cell.kind != "recall" || cell.variant != variant.fingerprint) continue;
      misses += cell.n - cell.hits;
      format += cell.format_misses();
    }
    if (format <= kFew || static_cast<double>(format) <= kWorthSaying * static_cast<double>(misses))
      continue;
    auto group = std::ranges::find_if(groups, [&](const FormatMisses& other) {
      return other.format == format && other.misses == misses;
    });
    if (group == groups.end()) group = groups.insert(groups.end(), {format, misses, {}});
    group->labels.push_back(label_of(results.run, variant));
  }
  return groups;
}

/// One warning for all variants: an attribution has dozens, most of which miss the same samples.
void add_format_warning(const Results& results, std::vector<std::string>& warnings) {
  std::vector<std::string> list;
  for (const FormatMisses& group : many_format_misses(results))
    list.push_back(fmt::format("{} of {} of {}", format_count(group.format),
                               counted(group.misses, "missed answer"),
                               fmt::join(group.labels, ", ")));
  if (list.empty()) return;
  warnings.push_back(fmt::format(
      "Format misses, where the answer never came or came in the wrong place, lower recall but say "
      "nothing about retrieval: {}.",
      fmt::join(list, "; ")));
}

/// Reference protocols can run out of text; such a cell is shorter, hence easier, than its label
/// says.
void add_short_cell_warning(const Results& results, std::vector<std::string>& warnings) {
  constexpr double kNominal = 0.9;
  std::map<std::string, double> shares;  // by cell name, so that variants do not repeat it
  for (const Cell& cell : results.cells) {
    if (cell.kind != "recall" || cell.n == 0) continue;
    const double share = cell.mean_real_length / static_cast<double>(cell.length);
    if (share < kNominal) shares.emplace(cell_label(cell.task, cell.length), share);
  }
  if (shares.empty()) return;
  std::vector<std::string> list;
  for (const auto& [cell, share] : shares)
    list.push_back(fmt::format("{} ({} of its length)", cell, percent_words(share)));
  warnings.push_back(fmt::format("Prompts of {} are much shorter than their column says: {}.",
                                 counted(static_cast<std::int64_t>(shares.size()), "cell"),
                                 fmt::join(list, ", ")));
}

}  // namespace

std::string interval_words(const Recovered& recovered) {
  if (!recovered.low || !recovered.high)
    return "95 % interval unbounded: n is too small to say more";
  const std::string range = fmt::format("95 % interval {} to {}", percent_signed(*recovered.low),
                                        percent_words(*recovered.high));
  const bool wide = *recovered.high - *recovered.low > kWidestUsefulInterval;
  return wide ? range + ": too wide to say how much" : range;
}

std::string recovery_in_words(const RunInfo& run, const Recovery& r) {
  const std::string sft = label_of(run, r.sft);
  const std::string text = fmt::format(
      "{}: {} {} (n = {}), after {} {}, after {} {}", cell_label(r.task, r.length),
      label_of(run, r.base), percent_words(r.base_recall()), r.n(), sft,
      percent_words(r.sft_recall()), label_of(run, r.restored), percent_words(r.restored_recall()));
  if (r.recovered)
    return fmt::format("{}: {} of the loss recovered ({}).", text,
                       percent_words(r.recovered->fraction), interval_words(*r.recovered));
  if (r.verdict == Recovery::Verdict::kNoLoss) return text + ": no measurable loss.";
  if (r.verdict == Recovery::Verdict::kGained)
    return text + ": a gain, with nothing to bring back.";
  return text + ": n too small to tell in this cell alone.";
}

Findings findings_in_words(const Results& results, const Analysis& analysis) {
  Findings findings;
  for (const std::string& model : models_of(results.run)) {
    const bool is_alone = has_one_checkpoint(results.run);
    const std::string headline = is_alone ? trust_in_words(results, results.run.variants.front())
                                          : headline_of_model(results, analysis, model);
    if (!headline.empty()) findings.headlines.push_back(headline);
    if (is_alone)
      findings.points = standings_in_words(results, results.run.variants.front());
    else
      add_recall_points(results, analysis, model, findings.points);
    add_other_restorations(results, analysis, model, findings.points);
    add_reasoning_points(results, analysis, model, findings.points);
    add_served(results, analysis, model, findings);
  }
  if (results.cells.empty()) findings.headlines.emplace_back("Nothing was measured.");
  add_unmeasured_warning(results, findings.warnings);
  add_missing_warning(results, findings.warnings);
  add_journal_warnings(results, findings.warnings);
  add_gap_warning(results, findings.warnings);
  add_format_warning(results, findings.warnings);
  add_short_cell_warning(results, findings.warnings);
  return findings;
}

}  // namespace niah::reports
