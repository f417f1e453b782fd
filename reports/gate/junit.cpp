#include "reports/gate/junit.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/text.h"
#include "reports/format.h"

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

std::string test_case(const std::string& suite, const std::string& model,
                      const std::string& variant, const std::string& name, GateOutcome outcome,
                      const std::string& reason) {
  const std::string head = fmt::format("  <testcase classname=\"{}.{}.{}\" name=\"{}\"", xml(suite),
                                       xml(model), xml(variant), xml(name));
  const std::string element = element_of(outcome);
  if (element.empty()) return head + "/>\n";
  return fmt::format("{}>\n    <{} message=\"{}\"/>\n  </testcase>\n", head, element, xml(reason));
}

}  // namespace

std::string junit_xml(const Verdict& verdict, const std::string& suite) {
  std::string cases;
  std::int64_t tests = 0;
  std::int64_t failures = 0;
  std::int64_t errors = 0;
  std::int64_t skipped = 0;
  const auto add = [&](const std::string& model, const std::string& variant,
                       const std::string& name, GateOutcome outcome, const std::string& reason) {
    cases += test_case(suite, model, variant, name, outcome, reason);
    ++tests;
    failures += outcome == GateOutcome::kRegression ? 1 : 0;
    errors += outcome == GateOutcome::kNotMeasured ? 1 : 0;
    skipped += outcome == GateOutcome::kInconclusive ? 1 : 0;
  };
  for (const GateCell& cell : verdict.cells)
    add(cell.model, cell.variant, cell_label(cell.task, cell.length), cell.outcome, cell.reason);
  for (const GateBand& band : verdict.bands) {
    if (band.pairs.n() == 0) continue;
    add(band.model, band.variant,
        fmt::format("{} depth {:g}–{:g} %", task_label(band.task), band.low, band.high),
        band.regression ? GateOutcome::kRegression : GateOutcome::kPass,
        fmt::format("recall fell in this depth band ({} after Holm)", p_words(band.adjusted)));
  }
  std::string notes;
  for (const std::string& note : verdict.notes) notes += xml(note) + "\n";
  if (!notes.empty()) notes = "  <system-out>" + notes + "</system-out>\n";
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite "
      "name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}{}"
      "</testsuite>\n</testsuites>\n",
      xml(suite), tests, failures, errors, skipped, cases, notes);
}

}  // namespace niah::reports
