#include "reports/export/lm_eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/sha256.h"

namespace niah::reports {
namespace {

using nlohmann::json;

constexpr auto kReplace = json::error_handler_t::replace;

/// The standard error of the mean of 0/1 scores, from the sample variance; null if there are
/// fractional scores or n < 2.
json standard_error(const Cell& cell) {
  if (cell.n < 2 || cell.mean_score != cell.recall()) return nullptr;
  const double p = cell.recall();
  return std::sqrt(p * (1 - p) / static_cast<double>(cell.n - 1));
}

/// A logged sample with the text that was asked, as the harness logs it.
std::string with_text(const std::string& line, const SampleText& text) {
  json sample = json::parse(line);
  if (sample["prompt_hash"] != sha256_hex(text.prompt)) {
    throw DataError(fmt::format(
        "writing lm_eval/ with prompts: sample {} of {} is not the one that was asked (its prompt "
        "has another hash); was the haystack, the tokenizer or the program changed since?",
        sample["doc"]["index"].dump(), sample["doc"]["max_length"].dump()));
  }
  sample["doc"]["input"] = text.input;
  sample["doc"]["gen_prefix"] = text.gen_prefix;
  sample["arguments"] = {
      {"gen_args_0", {{"arg_0", text.prompt}, {"arg_1", {{"do_sample", false}}}}}};
  return sample.dump(-1, ' ', false, kReplace);
}

}  // namespace

std::string lm_eval_task(const std::string& task) {
  const bool single = task.size() == 2 && task[0] == 's' && task[1] >= '1' && task[1] <= '9';
  if (single) return "niah_single_" + task.substr(1);
  if (task.starts_with("multi")) return "niah_" + task;
  if (task == "vt" || task == "cwe" || task == "fwe") return "ruler_" + task;
  std::string name = task;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '_'; },
      '_');
  return name;
}

std::string lm_eval_time(const std::string& iso8601) {
  std::string time = iso8601.substr(0, iso8601.find('Z'));
  std::replace(time.begin(), time.end(), ':', '-');
  return time + ".000000";
}

void LmEvalSamples::add(const Record& record) {
  if (!record.scored()) return;
  const std::string metric =
      record.kind == "recall" ? std::to_string(record.length) : "exact_match";
  const std::string target = json(record.expected).dump(-1, ' ', false, kReplace);
  const json sample = {{"doc",
                        {{"index", record.index},
                         {"max_length", record.length},
                         {"length", record.real_length},
                         {"depth", record.depth},
                         {"protocol", record.protocol},
                         {"outputs", record.expected}}},
                       {"target", target},
                       {"arguments", json::object()},
                       {"resps", {{record.text}}},
                       {"filtered_resps", {record.text}},
                       {"filter", "none"},
                       {"metrics", {metric}},
                       {"prompt_hash", record.prompt_sha256},
                       {"target_hash", sha256_hex(target)},
                       {"miss", record.miss},
                       {metric, record.score}};
  samples_[{record.variant, record.task}][{record.length, record.index}] =
      sample.dump(-1, ' ', false, kReplace);
}

std::string LmEvalSamples::lines(const std::string& variant, const std::string& task,
                                 const SampleTexts& texts) const {
  const auto found = samples_.find({variant, task});
  if (found == samples_.end()) return "";
  std::string out;
  int id = 0;
  for (const auto& [place, sample] : found->second) {
    const std::string line =
        texts ? with_text(sample, texts(task, place.first, place.second)) : sample;
    out += fmt::format("{{\"doc_id\":{},{}\n", id++, line.substr(1));
  }
  return out;
}

std::string lm_eval_results(const Results& results, const VariantInfo& variant) {
  json out = {{"results", json::object()},  {"group_subtasks", json::object()},
              {"configs", json::object()},  {"versions", json::object()},
              {"n-shot", json::object()},   {"higher_is_better", json::object()},
              {"n-samples", json::object()}};
  for (const std::string& task : results.run.tasks) {
    const std::string name = lm_eval_task(task);
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
  for (const std::string& set : results.reasoning_tasks()) {
    const Cell* cell = results.reasoning_cell(variant.fingerprint, set);
    if (cell == nullptr || cell->n == 0) continue;
    const std::string task = lm_eval_task(set);
    out["results"][task] = {{"alias", task},
                            {"exact_match,none", cell->mean_score},
                            {"exact_match_stderr,none", standard_error(*cell)}};
    out["group_subtasks"][task] = json::array();
    out["configs"][task] = {{"task", task}, {"output_type", "generate_until"}, {"num_fewshot", 0}};
    out["versions"][task] = 1;
    out["n-shot"][task] = 0;
    out["higher_is_better"][task] = {{"exact_match", true}};
    out["n-samples"][task] = {{"original", cell->samples.size()}, {"effective", cell->n}};
  }
  out["config"] = {{"model", "niah"},
                   {"model_args", fmt::format("model={},variant={},fingerprint={}", variant.model,
                                              variant.name, variant.fingerprint)},
                   {"random_seed", results.run.seed},
                   {"niah_version", results.run.program_version}};
  return out.dump(2, ' ', false, kReplace) + "\n";
}

}  // namespace niah::reports
