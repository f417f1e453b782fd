#include "reports/attribution_section.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "reports/analysis/attribution.h"
#include "reports/analysis/variant_labels.h"
#include "reports/draw/html.h"
#include "reports/draw/part_chart.h"
#include "reports/tables.h"

namespace niah::reports {

std::string attribution_section(const Results& results, const Analysis& analysis) {
  std::string out;
  const std::vector<std::string> models = models_of(results.run);
  for (const std::string& model : models)
    if (const std::string nothing = nothing_to_attribute(results, analysis, model);
        !nothing.empty())
      out += fmt::format("<p>{}</p>\n", html_text(nothing));
  for (const Attribution& attribution : analysis.attributions) {
    std::vector<PartBars> parts;
    for (const PartEffect& effect : attribution.alone) {
      const PartEffect* rest = attribution.without(effect.part);
      parts.push_back({part_in_words(effect.part), effect.recovered,
                       rest == nullptr ? std::nullopt : std::optional(rest->recovered)});
    }
    std::vector<PartBars> steps;
    if (attribution.path.is_followed())
      for (const PathStep& step : attribution.path.steps)
        steps.push_back({(steps.empty() ? "" : "with ") + part_in_words(step.added),
                         step.effect.recovered, std::nullopt});
    if (models.size() > 1) out += fmt::format("<h3>{}</h3>\n", html_text(attribution.model));
    out += html_list(attribution_in_words(results, attribution)) + part_chart(parts) +
           path_chart(steps);
  }
  return out + html_table_if_any(attribution_table(results, analysis)) +
         html_table_if_any(path_table(results, analysis));
}

}  // namespace niah::reports
