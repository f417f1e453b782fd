#include "reports/gate/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "harness/base/text.h"
#include "reports/format.h"
#include "reports/gate/evidence.h"

namespace niah::reports {
namespace {

std::string xml(std::string_view text) { return escape_html(text); }

std::string element_of(GateOutcome outcome) {
  switch (outcome) {
    case GateOutcome::kPass:
      return "";
    case GateOutcome::kRegression:
      return "failure";
    case GateOutcome::kInconclusive:
      return "skipped";
    case GateOutcome::kNotMeasured:
      return "error";
  }
  return "error";
}

struct CaseCounts {
  std::int64_t tests = 0;
  std::int64_t failures = 0;
  std::int64_t errors = 0;
  std::int64_t skipped = 0;
};

/// What a test case says.
struct Case {
  GateOutcome outcome = GateOutcome::kPass;
  std::string reason{};   ///< of an outcome that is no pass
  std::string details{};  ///< more lines of that
  std::string figure{};
  std::optional<double> seconds{};
};

std::string test_case(const std::string& suite, const std::string& model,
                      const std::string& variant, const std::string& name, const Case& found) {
  const std::string time = found.seconds ? fmt::format(" time=\"{:.3f}\"", *found.seconds) : "";
  const std::string head = fmt::format("  <testcase classname=\"{}.{}.{}\" name=\"{}\"{}>\n",
                                       xml(suite), xml(model), xml(variant), xml(name), time);
  const std::string element = element_of(found.outcome);
  std::string body;
  if (!element.empty() && found.details.empty())
    body = fmt::format("    <{} message=\"{}\"/>\n", element, xml(found.reason));
  if (!element.empty() && !found.details.empty())
    body = fmt::format("    <{0} message=\"{1}\">{2}</{0}>\n", element, xml(found.reason),
                       xml(found.details));
  if (!found.figure.empty())
    body += fmt::format("    <system-out>{}</system-out>\n", xml(found.figure));
  return head + body + "  </testcase>\n";
}

std::string figure_of(const PairCounts& pairs) {
  if (pairs.n() == 0) return "";
  return fmt::format("{} → {} (n = {})", percent(pairs.first_recall()),
                     percent(pairs.second_recall()), pairs.n());
}

/// The lost samples of a cell, one line each.
std::string details_of(const Verdict& verdict, const GateCell& cell) {
  if (cell.outcome != GateOutcome::kRegression) return "";
  std::string text;
  for (const std::string& line : sample_lines(verdict, cell))
    text += one_line(valid_utf8(line)) + "\n";
  if (!verdict.page.empty()) text += "page: " + one_line(valid_utf8(verdict.page)) + "\n";
  return text;
}

/// Properties of the suite, without those that have no value.
std::string properties(const std::vector<std::pair<const char*, std::string>>& all) {
  std::string out;
  for (const auto& [name, value] : all)
    if (!value.empty())
      out += fmt::format("    <property name=\"{}\" value=\"{}\"/>\n", name, xml(value));
  return out.empty() ? out : "  <properties>\n" + out + "  </properties>\n";
}

/// What was compared with what; nothing where the places are not known.
std::string properties_of(const Verdict& verdict) {
  if (verdict.current.place.empty()) return "";
  return properties({{"run", side_words(verdict.current)},
                     {"baseline", side_words(verdict.baseline)},
                     {"page", verdict.page}});
}

/// One suite; `body` is its test cases and what follows them.
std::string suite_element(const std::string& suite, const CaseCounts& counts,
                          const std::string& body) {
  return fmt::format(
      "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}"
      "</testsuite>\n",
      xml(suite), counts.tests, counts.failures, counts.errors, counts.skipped, body);
}

std::string document_of(const std::string& suites) {
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n{}</testsuites>\n",
                     suites);
}

std::string suite_of(const Verdict& verdict, const std::string& suite) {
  std::string cases;
  CaseCounts counts;
  const auto add = [&](const std::string& model, const std::string& variant,
                       const std::string& name, const Case& found) {
    const GateOutcome outcome = found.outcome;
    cases += test_case(suite, model, variant, name, found);
    ++counts.tests;
    counts.failures += outcome == GateOutcome::kRegression ? 1 : 0;
    counts.errors += outcome == GateOutcome::kNotMeasured ? 1 : 0;
    counts.skipped += outcome == GateOutcome::kInconclusive ? 1 : 0;
  };
  for (const GateCell& cell : verdict.cells)
    add(cell.model, cell.variant, cell_label(cell.task, cell.length),
        {.outcome = cell.outcome,
         .reason = cell.reason,
         .details = details_of(verdict, cell),
         .figure = figure_of(cell.pairs),
         .seconds = cell.seconds});
  for (const GateBand& band : verdict.bands) {
    if (band.pairs.n() == 0) continue;
    add(band.model, band.variant,
        fmt::format("{} depth {:g}–{:g} %", task_label(band.task), band.low, band.high),
        {.outcome = band.regression ? GateOutcome::kRegression : GateOutcome::kPass,
         .reason =
             fmt::format("recall fell in this depth band ({} after Holm)", p_words(band.adjusted)),
         .figure = figure_of(band.pairs)});
  }
  std::string notes;
  for (const std::string& note : verdict.notes) notes += xml(note) + "\n";
  if (!notes.empty()) notes = "  <system-out>" + notes + "</system-out>\n";
  return suite_element(suite, counts, properties_of(verdict) + cases + notes);
}

}  // namespace

std::string junit_xml(const Verdict& verdict, const std::string& suite) {
  return document_of(suite_of(verdict, suite));
}

std::string junit_xml(const Verdicts& verdicts, const std::string& suite) {
  if (verdicts.size() == 1) return junit_xml(verdicts.front(), suite);
  std::string suites;
  for (const Verdict& verdict : verdicts)
    suites += suite_of(verdict, fmt::format("{} against {}", suite, verdict.baseline.place));
  return document_of(suites);
}

std::string junit_of_refusal(const std::string& reason, const std::string& suite,
                             const std::string& page) {
  return document_of(
      suite_element(suite, {.tests = 1, .errors = 1},
                    properties({{"page", page}}) +
                        test_case(suite, "niah", "regress", "the comparison with the baseline",
                                  {.outcome = GateOutcome::kNotMeasured, .reason = reason})));
}

}  // namespace niah::reports
