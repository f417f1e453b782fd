#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/pending_folder.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/config/needle_section.h"
#include "harness/config/ranges.h"
#include "harness/config/served_section.h"
#include "harness/config/sweep.h"
#include "harness/config/variant_words.h"

namespace niah {

namespace {

/// An absolute path, because a run folder may be opened from anywhere. Throws UsageError for a name
/// that JSON cannot hold.
std::string plan_path(const std::filesystem::path& path) {
  std::string text = normal_path(path).string();
  if (valid_utf8(text) == text) return text;
  throw UsageError(fmt::format(
      "the path {} is not UTF-8, so plan.json cannot keep it; rename it, or make a link "
      "of another name",
      valid_utf8(text)));
}

nlohmann::ordered_json plan_checkpoint(const models::CheckpointPath& path) {
  if (!path.has_adapter()) return plan_path(path.folder);
  return {{"base", plan_path(path.folder)}, {"adapter", plan_path(path.adapter)}};
}

/// Counts by length, as far as they are the same for all tasks.
nlohmann::ordered_json plan_counts(const SweepConfig& sweep) {
  const SampleCounts& counts = sweep.samples;
  if (counts.half_width > 0) return {{"max", counts.otherwise}, {"half_width", counts.half_width}};
  nlohmann::ordered_json json;
  for (const std::string& task : sweep.tasks)
    for (const std::int64_t length : sweep.lengths)
      (counts.by_task.empty() ? json : json[task])[format_length(length)] = counts.at(task, length);
  return json;
}

/// Adds what is asked: tasks and lengths, or sample files.
void put_samples(nlohmann::ordered_json& json, const SweepConfig& sweep) {
  if (sweep.sample_files.empty()) {
    json["protocol"] = sweep.protocol;
    json["haystack"] = {{"kind", tasks::haystack_kind_name(sweep.haystack.kind)},
                        {"repeat", sweep.haystack.repeat}};
    if (!sweep.haystack.path.empty()) json["haystack"]["path"] = plan_path(sweep.haystack.path);
    if (!sweep.haystack.language.empty()) json["haystack"]["language"] = sweep.haystack.language;
    if (!sweep.needles.empty()) json["needle"] = needles_json(sweep.needles);
    json["tasks"] = sweep.tasks;
    json["lengths"] = sweep.lengths;
    for (const double depth : sweep.depths) json["depths"].push_back(depth_text(depth));
    json["samples"] = plan_counts(sweep);
    json["seed"] = sweep.seed;
  } else {
    for (const tasks::SampleFile& file : sweep.sample_files) {
      nlohmann::ordered_json one = {{"path", plan_path(file.path)}};
      if (!file.task.empty()) one["task"] = file.task;
      if (file.length) one["length"] = *file.length;
      json["samples_from"].push_back(one);
    }
    if (sweep.samples.otherwise > 0) json["samples"] = sweep.samples.otherwise;
  }
}

nlohmann::ordered_json plan_variant(const VariantConfig& variant) {
  nlohmann::ordered_json one = {{"name", variant.name}};
  if (variant.kind == VariantKind::kBase) one["of"] = "base";
  if (variant.kind == VariantKind::kSft) one["of"] = "sft";
  if (variant.kind == VariantKind::kRestored) {
    one["method"] = models::restore_method_name(variant.restore.method);
    if (variant.restore.method == models::RestoreMethod::kQkPro)
      one["lambda"] = variant.restore.lambda;
    if (variant.restore.method == models::RestoreMethod::kParts) {
      for (const models::WeightPart part : variant.restore.parts)
        one["parts"].push_back(models::weight_part_name(part));
      if (variant.restore.complement) one["complement"] = true;
    }
    if (variant.restore.alpha != 1) one["alpha"] = variant.restore.alpha;
    if (variant.restore.layers) one["layers"] = *variant.restore.layers;
  }
  if (variant.kind == VariantKind::kServed) {
    one["served"] = served_json(server_of(variant));
    if (!variant.same_as.empty()) one["of"] = variant.same_as;
  }
  if (variant.kind == VariantKind::kCheckpoint)
    one["checkpoint"] = plan_checkpoint(variant.checkpoint);
  if (variant.kind == VariantKind::kCheckpoint || variant.kind == VariantKind::kServed) {
    one["role"] = reports::role_name(variant.role);
    if (!variant.restored_from.empty()) one["restored_from"] = variant.restored_from;
    if (!variant.fine_tune.empty()) one["fine_tune"] = variant.fine_tune;
  }
  one["label"] = variant.label;
  one["description"] = variant.description;
  return one;
}

nlohmann::ordered_json plan_model(const ModelConfig& model) {
  nlohmann::ordered_json entry = {{"name", model.name}};
  if (!model.base.empty()) entry["base"] = plan_checkpoint(model.base);
  if (!model.sft.empty()) entry["sft"] = plan_checkpoint(model.sft);
  if (!model.override.is_null()) entry["override"] = model.override;
  for (const VariantConfig& variant : model.variants)
    entry["variants"].push_back(plan_variant(variant));
  return entry;
}

void put_generation_and_prompt(nlohmann::ordered_json& json, const SweepConfig& sweep) {
  json["generation"] = {{"max_new_tokens", sweep.generation.max_new_tokens},
                        {"stop_when_decided", sweep.generation.stop_when_decided}};
  if (sweep.generation.max_thinking_tokens > 0)
    json["generation"]["max_thinking_tokens"] = sweep.generation.max_thinking_tokens;
  const PromptConfig& prompt = sweep.prompt;
  json["prompt"] = {
      {"format", prompt.format}, {"answer_prefix", prompt.answer_prefix}, {"bos", prompt.bos}};
  for (const auto& [key, value] :
       {std::pair<const char*, const std::string&>("system", prompt.system),
        {"prefix", prompt.prefix},
        {"suffix", prompt.suffix}})
    if (!value.empty()) json["prompt"][key] = value;
  if (sweep.generation.max_thinking_tokens > 0 && prompt.answer_prefix)
    json["prompt"]["force"] = true;
}

}  // namespace

std::string sweep_to_json(const SweepConfig& sweep) {
  const auto or_auto = [](std::int64_t value) {
    return value > 0 ? nlohmann::ordered_json(value) : nlohmann::ordered_json("auto");
  };
  nlohmann::ordered_json json;
  json["name"] = sweep.name;
  put_samples(json, sweep);
  for (const ModelConfig& model : sweep.models) json["models"].push_back(plan_model(model));
  json["tokenizer"] = plan_path(sweep.tokenizer);
  put_generation_and_prompt(json, sweep);
  for (const ReasoningConfig& set : sweep.reasoning) {
    nlohmann::ordered_json one = {
        {"kind", set.kind}, {"samples", set.samples}, {"max_new_tokens", set.max_new_tokens}};
    if (!set.path.empty()) one["path"] = plan_path(set.path);
    json["reasoning"].push_back(one);
  }
  json["runtime"] = {{"device", sweep.runtime.device},
                     {"dtype", sweep.runtime.dtype},
                     {"threads", or_auto(sweep.runtime.threads)},
                     {"prefill_chunk", or_auto(sweep.runtime.prefill_chunk)},
                     {"share_prefixes", sweep.runtime.share_prefixes}};
  return json.dump(2);
}

}  // namespace niah
