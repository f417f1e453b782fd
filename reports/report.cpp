#include "reports/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "harness/base/files.h"
#include "harness/base/text.h"
#include "reports/analysis/findings.h"
#include "reports/analysis/variant_labels.h"
#include "reports/diagnosis/page.h"
#include "reports/draw/heatmap.h"
#include "reports/draw/png.h"
#include "reports/export/results_json.h"
#include "reports/format.h"
#include "reports/page.h"
#include "reports/tables.h"

namespace niah::reports {
namespace {

namespace fs = std::filesystem;

/// The tables with one row per cell or depth are for programs, so they are not typeset.
bool for_programs(const Table& table) { return table.name == "cells" || table.name == "depths"; }

std::string variant_stem(const RunInfo& run, const VariantInfo& variant) {
  const bool several = models_of(run).size() > 1;
  return file_stem(several ? variant.model + "-" + variant.name : variant.name);
}

/// Writes files into a folder and remembers their names.
class Writer {
 public:
  explicit Writer(fs::path folder) : folder_(std::move(folder)) {}
  /// Appends a number to a name that is taken, as when two variants' names differ only in
  /// characters that a file name cannot have.
  void write(const std::string& stem, const std::string& extension, const std::string& content) {
    std::string name = stem + extension;
    for (int i = 2; std::find(names_.begin(), names_.end(), name) != names_.end(); ++i)
      name = fmt::format("{}-{}{}", stem, i, extension);
    const fs::path path = folder_ / name;
    if (folders_.insert(path.parent_path()).second) ensure_writable_folder(path.parent_path());
    write_file(path, content);
    names_.push_back(name);
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  fs::path folder_;
  std::set<fs::path> folders_;
  std::vector<std::string> names_;
};

void write_tables(const Results& results, const Analysis& analysis, Writer& writer) {
  const Table comparisons = comparison_numbers(results, analysis);
  for (const Table& table : all_tables(results, analysis)) {
    const bool as_numbers = table.name == comparisons.name;
    writer.write("tables/" + table.name, ".csv", csv(as_numbers ? comparisons : table));
    if (for_programs(table)) continue;
    writer.write("tables/" + table.name, ".md", markdown(table));
    writer.write("tables/" + table.name, ".tex", latex(table));
  }
}

void write_heatmap(const Heatmap& map, const std::string& name, Writer& writer) {
  const std::string svg = heatmap_svg(map, SvgUse::kFile);
  writer.write("heatmaps/" + name, ".svg", svg);
  if (const auto png = png_of_svg(svg)) writer.write("heatmaps/" + name, ".png", *png);
}

void write_heatmaps(const Results& results, Writer& writer) {
  for (const std::string& task : results.run.tasks) {
    for (const VariantInfo& variant : results.run.variants) {
      const std::string name = file_stem(task) + "-" + variant_stem(results.run, variant);
      write_heatmap(recall_heatmap(results, variant, task), name, writer);
      const VariantInfo& reference = reference_of(results.run, variant);
      if (reference.fingerprint == variant.fingerprint) continue;
      write_heatmap(difference_heatmap(results, reference, variant, task), name + "-difference",
                    writer);
    }
  }
}

/// Writes one folder per variant, as lm-evaluation-harness writes one per model.
void write_lm_eval(const Results& results, const LmEvalSamples& samples, const SampleTexts& texts,
                   Writer& writer) {
  const std::string time = lm_eval_time(results.run.started);
  for (const VariantInfo& variant : results.run.variants) {
    const std::string folder = "lm_eval/" + variant_stem(results.run, variant) + "/";
    writer.write(folder + "results_" + time, ".json", lm_eval_results(results, variant));
    std::vector<std::string> tasks = results.run.tasks;
    for (const std::string& task : results.reasoning_tasks()) tasks.push_back(task);
    for (const std::string& task : tasks) {
      const std::string lines = samples.lines(variant.fingerprint, task, texts);
      if (lines.empty()) continue;
      writer.write(folder + "samples_" + lm_eval_task(task) + "_" + time, ".jsonl", lines);
    }
  }
}

/// Collects what reports are made from, record by record.
class Gathering {
 public:
  explicit Gathering(const RunInfo& run) : collector_(run) {}

  void add(const Record& record) {
    if (collector_.add(record)) samples_.add(record);
  }
  /// Writes the reports. `journal` is what was found in the journal; nullopt for records in memory.
  Report draw(const std::optional<JournalEnd>& journal, const fs::path& out,
              const SampleTexts& texts) && {
    Report report{std::move(collector_).finish(), {}, journal.value_or(JournalEnd{}), {}};
    if (journal) report.results.journal_records = journal->records;
    report.results.torn = journal && journal->torn;
    report.analysis = analyse(report.results);
    Writer writer(out);
    write_tables(report.results, report.analysis, writer);
    write_heatmaps(report.results, writer);
    write_lm_eval(report.results, samples_, texts, writer);
    report.files = writer.names();
    writer.write("results", ".json", results_json(report.results, report.analysis));
    write_page(report, out, {});
    return report;
  }

 private:
  Collector collector_;
  LmEvalSamples samples_;
};

}  // namespace

Report write_report(const RunInfo& run, const std::vector<fs::path>& journals, const fs::path& out,
                    const SampleTexts& texts) {
  Gathering gathering(run);
  JournalEnd all;
  for (const fs::path& journal : journals) {
    const JournalEnd end =
        read_records(journal, [&](const Record& record) { gathering.add(record); });
    all.records += end.records;
    all.valid_bytes += end.valid_bytes;
    all.torn = all.torn || end.torn;
  }
  return std::move(gathering).draw(all, out, texts);
}

Report write_report(const RunInfo& run, const std::vector<Record>& records, const fs::path& out) {
  Gathering gathering(run);
  for (const Record& record : records) gathering.add(record);
  return std::move(gathering).draw(std::nullopt, out, {});
}

void write_page(const Report& report, const fs::path& out, const BaselineSections& baseline) {
  std::error_code ignored;
  const bool diagnosis = fs::exists(out / kDiagnosisPage, ignored);
  write_file(out / "report.html", report_page(report.results, report.analysis, report.files,
                                              diagnosis, baseline, report.companions));
}

std::string summary_text(const Results& results, const Analysis& analysis, bool colour,
                         std::size_t columns) {
  const Findings findings = findings_in_words(results, analysis);
  const std::size_t prose = std::min(columns, kColumns);  // longer lines are hard to follow
  std::string text;
  const auto add = [&](const std::vector<std::string>& lines, const std::string& bullet) {
    for (const std::string& line : lines)
      text += wrap(bullet + unbroken(one_line(valid_utf8(line))), prose, "  ") + "\n";
  };
  add(findings.headlines, "");
  add(findings.points, "- ");
  add(results.run.caveats, "! ");
  add(findings.warnings, "! ");
  const Table table = compact_summary_table(results);
  if (!table.rows.empty())
    text += fmt::format("\n{}:\n{}", table.caption, terminal(table, columns, 2, colour));
  const Table served = compact_served_table(results, analysis);
  if (!served.rows.empty())
    text += fmt::format("\n{}:\n{}", served.caption, terminal(served, columns, 1, colour));
  const Table effective = for_reading(effective_table(results, analysis), results.run);
  if (!effective.rows.empty())
    text += fmt::format("\n{}:\n{}", wrap(effective.caption, prose, ""),
                        terminal(effective, columns, 1, colour));
  return replace_all(std::move(text), "n\u00A0=\u00A0", "n = ");  // as one searches for it
}

}  // namespace niah::reports
