#include "reports/served_section.h"

#include <fmt/format.h>

#include "harness/base/units.h"
#include "reports/analysis/served_words.h"
#include "reports/analysis/variant_labels.h"
#include "reports/draw/html.h"
#include "reports/format.h"
#include "reports/tables.h"

namespace niah::reports {
namespace {

std::string hit_words(bool is_hit) { return is_hit ? "found" : "not found"; }

std::string differing_sample(const DifferingSample& sample) {
  return fmt::format(
      "<li><span class=\"where\">{0}, depth {1:.0f}&nbsp;%: here {2}, by the server {3}; the same "
      "for {4}</span>here <code>{5}</code>, the server <code>{6}</code><br><code>niah show . "
      "{0}</code></li>\n",
      html_text(sample_id(sample.task, sample.length, sample.index)), sample.depth,
      hit_words(sample.is_local_hit), hit_words(sample.is_served_hit),
      counted(sample.same, "character"), html_foreign(sample.local), html_foreign(sample.served));
}

std::string differing_samples(const Results& results, const ServedComparison& comparison) {
  std::string items;
  for (const DifferingSample& sample : comparison.differing) items += differing_sample(sample);
  if (items.empty()) return "";
  return html_fold(
      "Answers that differ, word for word: " + label_of(results.run, comparison.variant),
      "<ul class=\"misses\">\n" + items + "</ul>\n");
}

/// The paragraphs on one served variant.
std::string words_of(const Results& results, const ServedComparison& comparison) {
  const VariantInfo& variant = *find_variant(results.run, comparison.variant);
  std::string out = fmt::format(
      "<h3>{} <span>{}</span></h3>\n<p>{}</p>\n", html_text(label_of(results.run, variant)),
      html_text(variant.server), html_text(served_verdict(results, comparison)));
  std::vector<std::string> items = served_remarks(results, comparison);
  items.insert(items.begin(), served_texts(results, comparison));
  std::erase(items, "");
  return out + html_list(items);
}

}  // namespace

std::string served_section(const Results& results, const Analysis& analysis) {
  std::string words, samples;
  for (const ServedComparison& comparison : analysis.served) {
    words += words_of(results, comparison);
    samples += differing_samples(results, comparison);
  }
  const Table cells = served_table(results, analysis);
  return words + html_table_if_any(cells) +
         html_fold("Local against served by depth", served_depth_table(results, analysis)) +
         samples;
}

}  // namespace niah::reports
