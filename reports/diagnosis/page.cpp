#include "reports/diagnosis/page.h"

#include <fmt/format.h>

#include "harness/base/files.h"
#include "reports/diagnosis/figures.h"
#include "reports/diagnosis/summary.h"
#include "reports/diagnosis/tables.h"
#include "reports/draw/html.h"
#include "reports/page.h"

namespace niah::reports {
namespace {

std::string section(const char* title, const std::string& note, const std::string& content) {
  if (content.empty()) return "";
  return fmt::format("<section>\n<h2>{}</h2>\n<p class=\"note\">{}</p>\n{}</section>\n", title,
                     html_text(note), content);
}

}  // namespace

std::string diagnosis_page(const Diagnosis& diagnosis, const std::vector<std::string>& files) {
  constexpr std::string_view kStyle =
      ".softmax{fill:var(--accent);opacity:.08}.chart{max-width:860px}\n";
  const std::string title =
      fmt::format("Inside {}: what changed since {}", diagnosis.post, diagnosis.pre);
  std::string out = page_head(title, kStyle) + "<header>\n<h1>" + html_text(title) + "</h1>\n";
  if (!diagnosis.prompts.empty())
    out += "<p class=\"lead\">Attention was watched on " + html_text(diagnosis.prompts) + ".</p>\n";
  out += "</header>\n<main>\n<section class=\"answer\" aria-label=\"The answer\">\n";
  out += html_list(diagnosis_in_words(diagnosis)) + "</section>\n";
  out += section("How far the weights moved",
                 "Each dot is one part of one layer: its change in percent of its norm. Shaded: "
                 "softmax layers, whose Q and K QK-Restore puts back.",
                 drift_chart(diagnosis) + html_fold("By layer", layer_table(diagnosis)));
  out += section("How far the routing turned",
                 "A softmax head looks where W_Q^T W_K sends it. Norms and rotary embedding that "
                 "stand between the projections and their product are not part of this.",
                 html_fold("By head", routing_table(diagnosis)));
  if (!diagnosis.heads.empty()) {
    out += section("Who looks at the needle",
                   "Attention of the prompt's final position on the needle's tokens, in percent: "
                   "each square is one softmax head. Beside a name: the mean over the retrieval "
                   "heads of the first variant.",
                   needle_grids(diagnosis) + html_fold("Numbers", attention_table(diagnosis)));
    out += section("How far heads look",
                   "Mean distance in tokens between a query near the end of the prompt and what it "
                   "attends to.",
                   distance_grids(diagnosis));
  }
  out += section("Files", "Every number of this page.", html_links(files));
  return out + "</main>\n</body>\n</html>\n";
}

bool is_diagnosis_page(std::string_view content) {
  return content.find("<title>Inside ") != content.npos &&
         content.find("How far the weights moved") != content.npos;
}

void write_diagnosis(const Diagnosis& diagnosis, const std::filesystem::path& out) {
  ensure_writable_folder(out / "diagnosis");
  std::vector<std::string> files;
  for (const Table& table : diagnosis_tables(diagnosis)) {
    files.push_back("diagnosis/" + table.name + ".csv");
    write_file(out / files.back(), csv(table));
  }
  write_file(out / kDiagnosisPage, diagnosis_page(diagnosis, files));
}

}  // namespace niah::reports
