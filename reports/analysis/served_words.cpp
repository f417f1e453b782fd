#include "reports/analysis/served_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/units.h"
#include "reports/analysis/comparisons.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

const VariantInfo& variant_of(const Results& results, const ServedComparison& comparison) {
  return *find_variant(results.run, comparison.variant);
}

/// The prefix "vLLM: " if the run has several served variants, else "".
std::string which(const Results& results, const ServedComparison& comparison) {
  const auto served = std::count_if(results.run.variants.begin(), results.run.variants.end(),
                                    [](const VariantInfo& v) { return !v.server.empty(); });
  return served > 1 ? label_of(results.run, comparison.variant) + ": " : "";
}

/// "61 of 100 against 97 of 100": the server first, then the checkpoint.
std::string against(const PairCounts& pairs) {
  return fmt::format("{} of {} against {} of {}", format_count(pairs.second_hits()),
                     format_count(pairs.n()), format_count(pairs.first_hits()),
                     format_count(pairs.n()));
}

std::string loss_words(const ServedComparison& comparison) {
  constexpr const char* kLoses = "The server loses what the checkpoint finds";
  const ServedCell* worst = comparison.worst_cell();
  const auto cell = [&] { return cell_label(worst->task, worst->length); };
  const bool is_over_all = comparison.pairs.only_first > comparison.pairs.only_second &&
                           comparison.adjusted <= kComparisonAlpha;
  if (!is_over_all)
    return fmt::format("{} in {}: recall {} on the same samples (McNemar {}); over all cells {}.",
                       kLoses, cell(), against(worst->pairs), p_words(worst->adjusted),
                       against(comparison.pairs));
  std::string text = fmt::format("{}: recall {} on the same samples (McNemar {}).", kLoses,
                                 against(comparison.pairs), p_words(comparison.adjusted));
  if (worst != nullptr && comparison.cells.size() > 1)
    text += fmt::format(" Most in {}: {}.", cell(), against(worst->pairs));
  return text;
}

std::string gain_words(const ServedComparison& comparison) {
  return fmt::format(
      "The server finds what the checkpoint does not: recall {} on the same samples (McNemar {}). "
      "It does not compute what was computed here.",
      against(comparison.pairs), p_words(comparison.adjusted));
}

std::string no_loss_words(const ServedComparison& comparison) {
  return fmt::format(
      "No loss by the server was found: recall {} on the same samples (n = {}, a drop of {} points "
      "would have been found four times in five).",
      against(comparison.pairs), format_count(comparison.pairs.n()),
      detectable_points(comparison.detectable.value_or(1)));
}

std::string too_few_words(const ServedComparison& comparison) {
  const std::string shown =
      comparison.detectable
          ? fmt::format("n = {} would show a drop of {} points or more",
                        format_count(comparison.pairs.n()),
                        detectable_points(*comparison.detectable))
          : fmt::format("n = {} would not show any drop", format_count(comparison.pairs.n()));
  return fmt::format(
      "Too few samples to tell whether the server loses anything: recall {} on the same samples "
      "(McNemar {}; {}).",
      against(comparison.pairs), p_words(comparison.adjusted), shown);
}

/// Why there is no verdict.
std::string not_compared_words(const Results& results, const ServedComparison& comparison) {
  using Verdict = ServedComparison::Verdict;
  const VariantInfo& variant = variant_of(results, comparison);
  switch (comparison.verdict) {
    case Verdict::kAlone:
      return fmt::format(
          "{} was asked of a server alone. To compare it with its checkpoint, run that here with "
          "the same samples, then `niah regress --baseline THERE --current THIS_RUN`.",
          label_of(results.run, variant));
    case Verdict::kNotSaid:
      return fmt::format(
          "The server could not be compared: it is not said whose weights {} serves; `of:` in the "
          "config makes the comparison.",
          label_of(results.run, variant));
    case Verdict::kNotRun:
      return fmt::format("The server could not be compared: {} serves {}, which was not run here.",
                         label_of(results.run, variant), variant.same_as);
    default:
      return fmt::format(
          "The server could not be compared: no sample was scored both here and by the server{}.",
          comparison.unmeasured.empty()
              ? ""
              : fmt::format(" (of {} asked of it: {})", counted(comparison.asked, "sample"),
                            unmeasured_words(comparison.unmeasured)));
  }
}

std::string detail_words(const ServedComparison& comparison, const std::string& outcome) {
  const auto detail = comparison.unmeasured_details.find(outcome);
  return detail == comparison.unmeasured_details.end() ? "" : " (" + detail->second + ")";
}

/// Lists the models named in the answers, if there is more than one.
std::string models_words(const ServedComparison& comparison) {
  std::string names;
  for (const auto& [name, count] : comparison.answered_by)
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", name, format_count(count));
  return fmt::format(
      "Not one model answered all samples, by the names in the answers: {}. What they found is not "
      "one model's recall.",
      names);
}

std::string again_words(const ServedComparison& comparison) {
  if (comparison.answered_otherwise == 0)
    return fmt::format("Asked twice, the server said the same in all of {}.",
                       counted(comparison.asked_twice, "sample"));
  return fmt::format(
      "Asked twice, the server answered otherwise in {} of {}: its cache, or what it computes "
      "beside it, not the checkpoint.",
      format_count(comparison.answered_otherwise), format_count(comparison.asked_twice));
}

}  // namespace

std::string served_verdict(const Results& results, const ServedComparison& comparison) {
  using Verdict = ServedComparison::Verdict;
  const std::string prefix = which(results, comparison);
  switch (comparison.verdict) {
    case Verdict::kLoss:
      return prefix + loss_words(comparison);
    case Verdict::kGain:
      return prefix + gain_words(comparison);
    case Verdict::kNoLoss:
      return prefix + no_loss_words(comparison);
    case Verdict::kTooFew:
      return prefix + too_few_words(comparison);
    default:
      return not_compared_words(results, comparison);
  }
}

std::string served_texts(const Results& results, const ServedComparison& comparison) {
  const TextAgreement& texts = comparison.texts;
  if (texts.compared == 0) return "";
  std::string text = fmt::format(
      "{}Of {} that were said here and by the server, {} {} equal as far as both were "
      "kept",
      which(results, comparison), counted(texts.compared, "text"), format_count(texts.equal),
      texts.equal == 1 ? "is" : "are");
  if (texts.earliest)
    text += fmt::format("; the others part after {} at the earliest, {:g} in the median",
                        counted(*texts.earliest, "character"), texts.median.value_or(0));
  return text + ".";
}

std::vector<std::string> served_remarks(const Results& results,
                                        const ServedComparison& comparison) {
  std::vector<std::string> remarks;
  const auto count_of = [&](const char* outcome) {
    const auto at = comparison.unmeasured.find(outcome);
    return at == comparison.unmeasured.end() ? std::int64_t{0} : at->second;
  };
  const auto add = [&](const std::string& text) {
    remarks.push_back(which(results, comparison) + text);
  };
  if (const std::int64_t cut = count_of("cut"))
    add(fmt::format(
        "The server cut {} of {} short: it read less of the prompt than it was sent, or had no "
        "room for the answer{}. These count neither as hits nor as misses.",
        format_count(cut), counted(comparison.asked, "sample"), detail_words(comparison, "cut")));
  if (const std::int64_t refused = count_of("refused"))
    add(fmt::format("The server refused {} of {}{}.", format_count(refused),
                    counted(comparison.asked, "prompt"), detail_words(comparison, "refused")));
  if (const std::int64_t failed = count_of("failed"))
    add(fmt::format("The server failed at every try of {} of {}{}.", format_count(failed),
                    counted(comparison.asked, "prompt"), detail_words(comparison, "failed")));
  if (comparison.answered_by.size() > 1) add(models_words(comparison));
  if (comparison.asked_twice > 0) add(again_words(comparison));
  if (comparison.failed_again > 0)
    add(
        fmt::format("{} of the samples that the server had answered got no answer when asked a "
                    "second time ({}).",
                    format_count(comparison.failed_again), comparison.failed_again_detail));
  return remarks;
}

const char* served_verdict_name(ServedComparison::Verdict verdict) {
  using Verdict = ServedComparison::Verdict;
  switch (verdict) {
    case Verdict::kAlone:
      return "nothing_run_here";
    case Verdict::kNotSaid:
      return "checkpoint_not_said";
    case Verdict::kNotRun:
      return "checkpoint_not_run";
    case Verdict::kNoPairs:
      return "nothing_in_common";
    case Verdict::kTooFew:
      return "too_few_samples";
    case Verdict::kNoLoss:
      return "no_measurable_loss";
    case Verdict::kLoss:
      return "loss";
    case Verdict::kGain:
      return "gain";
  }
  return "";
}

}  // namespace niah::reports
