#include "harness/cli/gate_options.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/base/units.h"

namespace niah {
namespace {

/// "s3=10" or "s3@64K=10", in points.
reports::Tolerance tolerance_of(const std::string& text) {
  const auto refuse = [&] {
    return UsageError(fmt::format(
        "--tolerance '{}': a task or cell and points from 0 to 100 were expected, such as s3=10 or "
        "s3@64K=10",
        valid_utf8(text)));
  };
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos) throw refuse();
  const auto points = parse_number(std::string_view(text).substr(equals + 1), {0, 100});
  const std::string cell = text.substr(0, equals);
  const std::size_t at = cell.find('@');
  const auto length = at == std::string::npos ? std::optional<std::int64_t>(0)
                                              : parse_length(std::string_view(cell).substr(at + 1));
  if (!points || !length || at == 0 || cell.empty()) throw refuse();
  return {cell.substr(0, at), *length, *points / 100};
}

}  // namespace

reports::GateOptions GateArguments::options() const {
  reports::GateOptions options;
  options.max_drop = max_drop / 100;
  options.detectable = detectable / 100;
  options.allow_fewer_samples = allow_fewer_samples;
  options.require_same_arithmetic = !allow_other_arithmetic;
  options.alpha = alpha;
  options.served_as = served_as;
  options.inconclusive_passes = inconclusive == "pass";
  for (const std::string& text : tolerances) options.tolerances.push_back(tolerance_of(text));
  return options;
}

void add_gate_options(CLI::App& command, GateArguments& arguments) {
  add_number(command, "--max-drop", arguments.max_drop, {0, 100},
             "A drop of so many points or fewer never fails")
      ->type_name("POINTS");
  add_number(command, "--alpha", arguments.alpha, {0, 1, /*open_low=*/true, /*open_high=*/true},
             "Chance of a false alarm, over all cells and depth bands together");
  add_number(command, "--detectable", arguments.detectable, {0, 100},
             "A cell that would not show a drop of so many points four times in five, by all of "
             "the gate's rules, is inconclusive")
      ->type_name("POINTS");
  add_repeated(command, "--tolerance", arguments.tolerances,
               "Another --max-drop for a task or a cell, in points: --tolerance s3=10, --tolerance "
               "s3@64K=15");
  command
      .add_option(
          "--inconclusive", arguments.inconclusive,
          "What too few samples to tell are: fail (exit 4) or pass (exit 0; they are named)")
      ->type_name("{fail|pass}")
      ->check(CLI::IsMember({"fail", "pass"}))
      ->capture_default_str();
  command.add_flag("--allow-fewer-samples", arguments.allow_fewer_samples,
                   "The run may have only some of the baseline's samples");
  command.add_flag("--allow-other-arithmetic", arguments.allow_other_arithmetic,
                   "Compare also what was computed on another device or in another dtype; it is "
                   "named");
  command
      .add_option("--served-as", arguments.served_as,
                  "The baseline's variant whose checkpoint this run's server has, where its "
                  "config does not say it with `of:` (default: its base)")
      ->type_name("NAME");
}

void add_verdict_files(CLI::App& command, GateFiles& files) {
  command
      .add_option("--junit", files.junit,
                  "Write JUnit XML: a test case a cell and band, or the error for which nothing "
                  "was compared")
      ->type_name(kFileValue);
  command.add_option("--summary", files.summary, "Write a summary (Markdown), with all cells")
      ->type_name(kFileValue);
  command.add_option("--json", files.json, "Write the verdict as JSON, with every turned sample")
      ->type_name(kFileValue);
}

}  // namespace niah
