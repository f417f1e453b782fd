#include "reports/lm_eval.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace niah::reports {
namespace {

using nlohmann::json;

std::string harness_task(const std::string& task) {
  const bool single = task.size() == 2 && task[0] == 's' && task[1] >= '1' && task[1] <= '9';
  return single ? "niah_single_" + task.substr(1) : task;
}

/// Standard error of the mean of zeros and ones, with the sample variance; null where scores lie
/// between or n does not allow it.
json standard_error(const Cell& cell) {
  if (cell.n < 2 || cell.mean_score != cell.recall()) return nullptr;
  const double p = cell.recall();
  return std::sqrt(p * (1 - p) / static_cast<double>(cell.n - 1));
}

}  // namespace

std::string lm_eval_results(const Results& results, const VariantInfo& variant) {
  json out = {{"results", json::object()},  {"group_subtasks", json::object()},
              {"configs", json::object()},  {"versions", json::object()},
              {"n-shot", json::object()},   {"higher_is_better", json::object()},
              {"n-samples", json::object()}};
  for (const std::string& task : results.run.tasks) {
    const std::string name = harness_task(task);
    json scores = {{"alias", name}};
    json better = json::object();
    std::int64_t asked = 0;
    std::int64_t scored = 0;
    for (const std::int64_t length : results.run.lengths) {
      const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
      if (cell == nullptr) continue;
      asked += static_cast<std::int64_t>(cell->samples.size());
      scored += cell->n;
      if (cell->n == 0) continue;
      const std::string metric = std::to_string(length);
      scores[metric + ",none"] = cell->mean_score;
      scores[metric + "_stderr,none"] = standard_error(*cell);
      better[metric] = true;
    }
    if (scored == 0) continue;
    out["results"][name] = scores;
    out["group_subtasks"][name] = json::array();
    out["configs"][name] = {{"task", name},
                            {"output_type", "generate_until"},
                            {"num_fewshot", 0},
                            {"metadata",
                             {{"protocol", results.run.protocol},
                              {"haystack", results.run.haystack},
                              {"tokenizer", results.run.tokenizer}}}};
    out["versions"][name] = 1;
    out["n-shot"][name] = 0;
    out["higher_is_better"][name] = better;
    out["n-samples"][name] = {{"original", asked}, {"effective", scored}};
  }
  out["config"] = {{"model", "niah"},
                   {"model_args", fmt::format("model={},variant={},fingerprint={}", variant.model,
                                              variant.name, variant.fingerprint)},
                   {"random_seed", results.run.seed},
                   {"niah_version", results.run.program_version}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace niah::reports
