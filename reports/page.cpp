#include "reports/page.h"

#include <fmt/format.h>

#include "harness/base/progress.h"
#include "harness/base/units.h"
#include "reports/analysis/checkpoint_place.h"
#include "reports/analysis/findings.h"
#include "reports/analysis/variant_labels.h"
#include "reports/attribution_section.h"
#include "reports/diagnosis/page.h"
#include "reports/draw/gradient_chart.h"
#include "reports/draw/heatmap.h"
#include "reports/draw/html.h"
#include "reports/draw/line_chart.h"
#include "reports/format.h"
#include "reports/served_section.h"
#include "reports/tables.h"

namespace niah::reports {
namespace {

std::string paragraph(const std::string& css, std::string_view text) {
  return fmt::format("<p class=\"{}\">{}</p>\n", css, html_text(text));
}

/// Tells apart the tabs of several runs and nights.
std::string tab_title(const RunInfo& run) {
  constexpr std::size_t kDay = 10;  // of 2026-11-28T15:16:57Z
  return run.started.empty() ? run.name + ": recall"
                             : fmt::format("{}: recall, {}", run.name, run.started.substr(0, kDay));
}

std::string header(const Results& results) {
  const RunInfo& run = results.run;
  std::string lengths;
  if (run.lengths.size() == 1)
    lengths = fmt::format(" of {} tokens", format_length(run.lengths.front()));
  if (run.lengths.size() > 1)
    lengths = fmt::format(" of {} to {} tokens", format_length(run.lengths.front()),
                          format_length(run.lengths.back()));
  const std::string asked = fmt::format(
      "A short fact (the needle) is hidden in a long text{}, and the model is asked for it; recall "
      "is the share of needles it gives back. {}: {}.",
      lengths,
      has_one_checkpoint(run)
          ? "One checkpoint was asked"
          : counted(std::ssize(run.variants), "variant") + " compared on the same samples",
      variant_names(run));
  return "<header>\n<h1>" + html_text(run.title.empty() ? run.name : run.title) + "</h1>\n" +
         paragraph("lead", asked) + "</header>\n";
}

std::string findings_block(const Findings& findings) {
  std::string out = "<section class=\"answer\" aria-label=\"The answer\">\n";
  for (const std::string& headline : findings.headlines) out += paragraph("headline", headline);
  return out + html_list(findings.points) + "</section>\n";
}

std::string caveat_box(const Results& results, const Findings& findings) {
  std::vector<std::string> items = results.run.caveats;
  items.insert(items.end(), findings.warnings.begin(), findings.warnings.end());
  if (items.empty()) return "";
  return "<aside class=\"box\" aria-label=\"Read this first\"><h2>Read this first</h2>\n" +
         html_list(items) + "</aside>\n";
}

/// Recall over all lengths; only if all lengths were measured.
std::string overall_recall(const Results& results, const VariantInfo& variant,
                           const std::string& task) {
  std::int64_t n = 0;
  std::int64_t hits = 0;
  for (const std::int64_t length : results.run.lengths) {
    const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
    if (cell == nullptr || cell->n == 0) return "";
    n += cell->n;
    hits += cell->hits;
  }
  return n == 0 ? "" : percent_words(static_cast<double>(hits) / static_cast<double>(n));
}

std::string figure(const std::string& title, const std::string& aside, const std::string& svg,
                   const std::string& behind) {
  return fmt::format(
      "<figure><figcaption>{}{}</figcaption>\n{}{}</figure>\n", html_text(title),
      aside.empty() ? "" : " <span>" + html_text(aside) + "</span>", svg,
      behind.empty() ? "" : "<details><summary>Numbers</summary>\n" + behind + "</details>\n");
}

/// A heatmap with its numbers as a table.
std::string map_figure(const std::string& title, const std::string& aside, const Heatmap& map) {
  return figure(title, aside, heatmap_svg(map, SvgUse::kInline), html_table(heatmap_table(map)));
}

std::string task_heading(const std::string& task) {
  const std::string note = task_note(task);
  return fmt::format("<h3>{}{}</h3>\n", html_text(task_label(task)),
                     note.empty() ? "" : " <span>" + html_text(note) + "</span>");
}

/// A task's maps side by side, with its heading; tasks that leave room stand side by side as well.
std::string task_maps(const std::string& task, const std::string& maps) {
  return "<div>\n" + task_heading(task) + "<div class=\"strip\">\n" + maps + "</div>\n</div>\n";
}

std::string with_legend(Scale scale, const std::string& id, const std::string& tasks) {
  return tasks.empty() ? ""
                       : legend_svg(scale, id) + "<div class=\"tasks\">\n" + tasks + "</div>\n";
}

std::string heatmaps(const Results& results) {
  std::string out;
  for (const std::string& task : results.run.tasks) {
    std::string maps;
    for (const VariantInfo& variant : results.run.variants)
      maps += map_figure(label_of(results.run, variant), overall_recall(results, variant, task),
                         recall_heatmap(results, variant, task));
    out += task_maps(task, maps);
  }
  return with_legend(Scale::kRecall, "recall-key", out);
}

std::string difference_maps(const Results& results) {
  std::string out;
  for (const std::string& task : results.run.tasks) {
    std::string strip;
    for (const VariantInfo& variant : results.run.variants) {
      const VariantInfo& reference = reference_of(results.run, variant);
      if (reference.fingerprint == variant.fingerprint) continue;
      strip +=
          map_figure(label_of(results.run, variant), "minus " + label_of(results.run, reference),
                     difference_heatmap(results, reference, variant, task));
    }
    if (!strip.empty()) out += task_maps(task, strip);
  }
  return with_legend(Scale::kDifference, "difference-key", out);
}

std::string baseline_maps(const BaselineSections& baseline) {
  std::string out, maps;
  for (std::size_t i = 0; i < baseline.maps.size(); ++i) {
    const BaselineMap& one = baseline.maps[i];
    maps += map_figure(one.variant, one.samples, one.map);
    if (i + 1 < baseline.maps.size() && baseline.maps[i + 1].task == one.task) continue;
    out += task_maps(one.task, maps);
    maps.clear();
  }
  return with_legend(Scale::kDifference, "baseline-key", out);
}

/// None where there is one length: a line needs two.
std::string charts(const Results& results) {
  if (results.run.lengths.size() < 2) return "";
  std::string key = "<ul class=\"key\">\n";
  for (std::size_t i = 0; i < results.run.variants.size(); ++i)
    key += fmt::format("<li>{}{}</li>\n", series_key_svg(i),
                       html_text(label_of(results.run, results.run.variants[i])));
  std::string out;
  for (const std::string& task : results.run.tasks)
    out += figure(task_label(task), "", recall_chart_svg(results, task), "");
  return out.empty() ? "" : key + "</ul>\n<div class=\"charts\">\n" + out + "</div>\n";
}

std::string depth_tables(const Results& results) {
  std::string out;
  for (const std::string& task : results.run.tasks)
    out += html_fold(task_label(task) + " by depth",
                     for_reading(depth_table(results, task), results.run));
  return out;
}

std::string examples(const Results& results) {
  std::string out;
  for (const Example& example : results.examples) {
    out += fmt::format(
        "<li><span class=\"where\">{0}, {1}, depth {2:.0f}&nbsp;%: {3}</span>expected "
        "<code>{4}</code>, got <code>{5}</code><br><code>niah show . {0}</code></li>\n",
        html_text(sample_id(example.task, example.length, example.index)),
        html_text(label_of(results.run, example.variant)), example.depth,
        html_text(miss_label(example.miss)), html_foreign(example.expected),
        html_foreign(example.generated));
  }
  return out.empty()
             ? ""
             : html_fold("Some misses, word for word",
                         "<p class=\"note\">The commands are typed in the run's folder.</p>\n"
                         "<ul class=\"misses\">\n" +
                             out + "</ul>\n");
}

std::string misses_by_class(const Results& results) {
  const Table table = miss_table(results);
  if (table.rows.empty()) return "";
  std::string meanings;
  for (const std::string& miss : miss_classes_of(results))
    if (!miss_meaning(miss).empty())
      meanings += fmt::format("<dt>{}</dt><dd>{}</dd>\n", html_text(miss_label(miss)),
                              html_text(miss_meaning(miss)));
  return (meanings.empty() ? "" : "<dl>\n" + meanings + "</dl>\n") +
         html_table(for_reading(table, results.run));
}

/// A checkpoint alone: its name, where it is, and its fingerprint.
std::string lone_checkpoint(const RunInfo& run, const VariantInfo& variant) {
  const std::string place = variant.server.empty() ? checkpoint_of(run, variant)
                                                   : "asked of the server " + variant.server;
  return fmt::format("{}{} (fingerprint {})", label_of(run, variant),
                     place.empty() ? "" : ", " + place, variant.fingerprint);
}

std::string metadata(const Results& results) {
  const RunInfo& run = results.run;
  std::string out = "<dl>\n";
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, html_text(value));
  };
  add("Run", run.name);
  add("Protocol", fmt::format("{}, seed {}", run.protocol, run.seed));
  add("Haystack", with_fingerprint_named(run.haystack));
  add("Tokenizer", with_fingerprint_named(run.tokenizer));
  for (const VariantInfo& variant : run.variants) {
    if (has_one_checkpoint(run)) {
      add("Checkpoint", lone_checkpoint(run, variant));
      continue;
    }
    const std::string what = variant.description.empty() ? variant.name : variant.description;
    const std::string server =
        variant.server.empty() ? "" : "; asked of the server " + variant.server;
    add("Variant", fmt::format("{} {}: {}{} ({})", variant.model, variant.name, what, server,
                               hash_words(variant)));
  }
  add("Computed", arithmetic_words(run));
  add("Machine", run.machine);
  add("Program", "niah " + run.program_version);
  add("Time", run.started.empty() ? "" : run.started + " to " + run.finished);
  add("Work", fmt::format("{} tokens computed in {}, added up over the samples",
                          format_count(results.computed_tokens), format_duration(results.seconds)));
  return out + "</dl>\n";
}

std::string reproduction(const Results& results) {
  std::string out =
      "<p>Every figure on this page is a function of <code>journal.jsonl</code> and "
      "<code>plan.json</code> beside it. To draw it again, without a model:</p>\n"
      "<pre>niah report RUN_FOLDER</pre>\n"
      "<p>To run it again from its configuration:</p>\n"
      "<pre>niah run CONFIG --out NEW_FOLDER</pre>\n";
  const auto add_config = [&](const std::string& title, const std::string& config) {
    if (!config.empty()) out += html_fold(title, "<pre>" + html_text(config) + "</pre>\n");
  };
  add_config("Resolved configuration", results.run.config_json);
  for (const std::string& other : results.run.other_configs)
    add_config("Configuration of a part that differs", other);
  return out;
}

/// The sections of a page, and the list of their titles.
class PageBody {
 public:
  /// A section without content is left out.
  void add(const std::string& id, const std::string& title, const std::string& note,
           const std::string& content) {
    if (content.empty()) return;
    contents_ += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", id, html_text(title));
    sections_ += fmt::format(
        "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}"
        "</h2>\n{2}{3}</section>\n",
        id, html_text(title), note.empty() ? "" : paragraph("note", note), content);
  }

  std::string html() const {
    return "<nav aria-label=\"Contents\"><ul>\n" + contents_ + "</ul></nav>\n" + sections_;
  }

 private:
  std::string contents_, sections_;
};

void add_baseline(const BaselineSections& baseline, PageBody& body) {
  body.add("against-baseline", "This run minus the baseline",
           "Difference in points, on the samples that both runs were measured on. Orange: "
           "fewer found. Blue: more.",
           baseline_maps(baseline));
  body.add("turned", "Samples lost and gained",
           "What either run said, and the commands that show a sample and ask it again.",
           baseline.samples);
}

}  // namespace

std::string page_head(std::string_view title, std::string_view style) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; img-src "
      "data:\">\n<title>{}</title>\n<style>{}{}</style>\n</head>\n<body>\n",
      html_text(title), page_style(), style);
}

std::string report_page(const Results& results, const Analysis& analysis,
                        const std::vector<std::string>& files, bool diagnosis,
                        const BaselineSections& baseline,
                        const std::vector<Companion>& companions) {
  const Findings findings = findings_in_words(results, analysis);
  PageBody body;
  add_baseline(baseline, body);
  body.add("heatmaps", "Where needles are found",
           "Each square is the share of needles found at one depth and one context length. "
           "Down: depth of the needle, start of the text at the top. Across: context length. "
           "The number beside a name is the mean over all lengths.",
           heatmaps(results));
  body.add("lengths", "Recall by context length", recall_chart_note(results.run),
           charts(results) +
               html_table_if_any(for_reading(effective_table(results, analysis), results.run)));
  body.add("summary", "All cells", "", html_table_if_any(summary_table(results)));
  body.add("recovery", "What restoring brought back",
           "Only cells in which the fine-tune measurably lost recall; tables/recovery.csv has all.",
           html_table_if_any(recovery_table(results, analysis, RecoveryRows::kLosses)));
  body.add("attribution", "Which part of the weights forgot",
           "What came back when one part of the fine-tune's weights was put back to base, "
           "and when everything but that part was.",
           attribution_section(results, analysis));
  for (std::size_t i = 0; i < companions.size(); ++i)
    body.add(fmt::format("beside-{}", i + 1), companions[i].title,
             "A run of its own, on other samples.", companions[i].html);
  body.add("served", "Local against served",
           "The same samples, answered here by the checkpoint and by the server that has it.",
           served_section(results, analysis));
  body.add("reasoning", "Reasoning beside recall",
           has_one_checkpoint(results.run)
               ? ""
               : "A repair is worth having only if what the fine-tune taught stays.",
           html_table_if_any(reasoning_table(results)));
  body.add("differences", "Where recall changed",
           "Difference to the reference in points, on the samples that both were measured "
           "on. Orange: fewer found. Blue: more.",
           difference_maps(results));
  if (diagnosis)
    body.add("inside", "Inside the model", "",
             fmt::format("<p><a href=\"{}\">How far weights and routing moved, and which heads "
                         "look at the needle</a></p>\n",
                         kDiagnosisPage));
  body.add("depths", "By depth", "", depth_tables(results));
  body.add("gradients", "Where the fine-tune's gradient comes from",
           "Mean size of what a pair of tokens adds to the gradient of W_Q and W_K in the "
           "softmax layers, by the distance between them, relative to the nearest. The paper "
           "finds that it falls like exp(-tau / W) with W about 115 tokens in real models, and "
           "explains by it why routing over long distances drifts.",
           results.run.gradients.empty() ? ""
                                         : gradient_chart_svg(results.run.gradients) +
                                               html_table(gradient_table(results.run.gradients)));
  body.add("misses", "Why answers missed", "",
           html_fold("Misses by class, cell by cell", misses_by_class(results)) +
               html_fold("How likely the right value was", value_table(results)) +
               examples(results));
  body.add("tests", "Tests and trends", "",
           html_fold("Trends and effective lengths",
                     for_reading(trend_table(results, analysis), results.run)) +
               html_fold("All paired comparisons", comparison_table(results, analysis)));
  body.add("published", "Published figures", "", html_table_if_any(published_table(results)));
  body.add("run", "This run", "", metadata(results));
  body.add("reproduce", "How to reproduce", "",
           reproduction(results) + html_fold("Tables and heatmaps as files", html_links(files)));
  return page_head(tab_title(results.run), baseline.verdict.empty() ? "" : verdict_style()) +
         header(results) + "<main>\n" + baseline.verdict + findings_block(findings) +
         caveat_box(results, findings) + body.html() + "</main>\n<footer>Drawn by niah " +
         html_text(results.run.program_version) +
         " from the run's records.</footer>\n</body>\n</html>\n";
}

}  // namespace niah::reports
