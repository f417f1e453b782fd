#include "models/registry.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/listed_error.h"
#include "harness/base/text.h"
#include "models/arch/falcon_h1.h"
#include "models/arch/granite_hybrid.h"
#include "models/arch/hypenet.h"
#include "models/arch/jet_nemotron.h"
#include "models/arch/kimi_linear.h"
#include "models/arch/lfm2.h"
#include "models/arch/minimax.h"
#include "models/arch/nemotron_h.h"
#include "models/arch/olmo_hybrid.h"
#include "models/arch/qwen3_5.h"
#include "models/arch/softmax.h"
#include "models/tied_head.h"

namespace niah::models {
namespace {

struct Architecture {
  MakeArchitecture make;
  std::string tested_against;
};

// No results of real checkpoints: only their configs were available (see README.md).
constexpr const char* kReference = "logits of its reference implementation at toy size";
constexpr const char* kTransformers = "logits and greedy text of transformers 5.24 at toy size";

/// A family of arch/softmax.cpp.
Architecture softmax(const char* family) {
  return {[family](const nlohmann::json& config, const std::string& label, TensorSource& source) {
            return make_softmax(family, config, label, source);
          },
          kTransformers};
}

std::map<std::string, Architecture>& architectures() {
  static std::map<std::string, Architecture> table = {
      {"bamba", {make_bamba, kTransformers}},
      {"falcon_h1", {make_falcon_h1, kTransformers}},
      {"granite", softmax("granite")},
      {"granitemoehybrid", {make_granite_hybrid, kTransformers}},
      {"hypenet", {make_hypenet, kReference}},
      {"jet_nemotron", {make_jet_nemotron, kReference}},
      {"kimi_linear", {make_kimi_linear, kTransformers}},
      {"lfm2", {make_lfm2, kTransformers}},
      {"lfm2_moe", {make_lfm2_moe, kTransformers}},
      {"llama", softmax("llama")},
      {"minimax", {make_minimax, kTransformers}},
      {"mistral", softmax("mistral")},
      {"nemotron_h",
       {make_nemotron_h, std::string(kTransformers) +
                             ", but for a bound on dt that transformers has in prefill alone"}},
      {"olmo2", softmax("olmo2")},
      {"olmo3", softmax("olmo3")},
      {"olmo_hybrid", {make_olmo_hybrid, kTransformers}},
      {"qwen2", softmax("qwen2")},
      {"qwen3", softmax("qwen3")},
      {"qwen3_5", {make_qwen3_5, kTransformers}},
      {"qwen3_5_moe", {make_qwen3_5_moe, kTransformers}},
      {"qwen3_next", {make_qwen3_next, kTransformers}},
      {"smollm3", softmax("smollm3")},
  };
  return table;
}

/// Maps other spellings of model_type found in checkpoints to the canonical one.
std::string canonical_type(const std::string& name) {
  static const std::map<std::string, std::string> aliases = {
      {"hype_net", "hypenet"},
      {"jet-nemotron", "jet_nemotron"},
      {"jetnemotron", "jet_nemotron"},
      {"qwen2.5", "qwen2"},
      {"qwen2_5", "qwen2"},
      {"qwen3_5_text", "qwen3_5"},
      {"qwen3_5_moe_text", "qwen3_5_moe"},
  };
  const auto found = aliases.find(name);
  return found == aliases.end() ? name : found->second;
}

}  // namespace

void register_architecture(const std::string& model_type, MakeArchitecture make,
                           std::string tested_against) {
  architectures().insert_or_assign(model_type,
                                   Architecture{std::move(make), std::move(tested_against)});
}

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const auto& [name, architecture] : architectures()) names.push_back(name);
  return names;
}

std::string tested_against(const std::string& model_type) {
  const auto found = architectures().find(canonical_type(model_type));
  return found == architectures().end() ? "" : found->second.tested_against;
}

std::shared_ptr<CausalLM> make_model(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source) {
  const auto type = config.is_object() ? config.find("model_type") : config.end();
  if (!config.is_object() || type == config.end() || !type->is_string())
    throw DataError(fmt::format("reading {}: it has no model_type", label));
  const std::string name = canonical_type(type->get<std::string>());
  const auto found = architectures().find(name);
  if (found != architectures().end()) return found->second.make(config, label, source);
  const std::vector<std::string> known = known_architectures();
  throw DataError(fmt::format("reading {}: model_type '{}' is not supported{}; supported: {}",
                              label, single_line(cut_short(name, 80)), did_you_mean(name, known),
                              fmt::join(known, ", ")));
}

std::shared_ptr<CausalLM> build_model(const nlohmann::json& config, const std::string& label,
                                      const WeightMap& weights) {
  MapSource source(weights, label);
  auto model = make_model(config, label, source);
  source.finish();
  for (at::Tensor& parameter : model->parameters()) parameter.set_requires_grad(false);
  model->eval();
  return model;
}

void require_same_model(const std::string& first_name, const ModelInfo& first,
                        const std::string& other_name, const ModelInfo& other) {
  const auto described = [](const ModelInfo& info) {
    std::map<std::string, std::string> all = info.settings;
    all.erase("tie_word_embeddings");
    all["model_type"] = info.architecture;
    all["vocab_size"] = fmt::to_string(info.vocab_size);
    all["hidden_size"] = fmt::to_string(info.hidden_size);
    all["layers"] = fmt::format("{} ({})", info.mixers.size(), layer_pattern(info));
    return all;
  };
  const auto a = described(first), b = described(other);
  if (a == b) return;
  const auto value = [](const auto& settings, const std::string& name) {
    const auto found = settings.find(name);
    return found == settings.end() ? "not used" : found->second;
  };
  // What decides most comes first: where it differs, much else does.
  std::vector<std::string> names = {"model_type", "layers", "hidden_size", "vocab_size"};
  for (const auto* settings : {&a, &b})
    for (const auto& [name, text] : *settings)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  std::vector<std::string> differences;
  for (const std::string& name : names)
    if (value(a, name) != value(b, name))
      differences.push_back(fmt::format("{}: {} and {}", name, value(a, name), value(b, name)));
  constexpr std::size_t kShown = 5;
  if (differences.size() > kShown + 1) {
    const std::size_t others = differences.size() - kShown;
    differences.resize(kShown);
    differences.push_back(fmt::format("and {} others", others));
  }
  throw ListedError(
      fmt::format("{} and {} are not checkpoints of one model; what their config.json says differs "
                  "in:",
                  first_name, other_name),
      std::move(differences));
}

namespace {

/// A checkpoint has at least one tensor per layer: refuses an absurd num_hidden_layers before that
/// many layers are built.
void check_layer_count(const Checkpoint& checkpoint, const nlohmann::json& config) {
  const auto layers = config.find("num_hidden_layers");
  const std::size_t tensors = checkpoint.tensor_names().size();
  if (layers == config.end() || !layers->is_number_unsigned()) return;
  if (layers->get<std::uint64_t>() <= tensors) return;
  throw DataError(fmt::format(
      "loading {}: its config.json says num_hidden_layers: {}, but it holds {} tensors in all",
      checkpoint.path().text(), layers->dump(), tensors));
}

}  // namespace

std::shared_ptr<CausalLM> check_tensors(const Checkpoint& checkpoint,
                                        const nlohmann::json& config) {
  check_layer_count(checkpoint, config.contains("text_config") ? config["text_config"] : config);
  const std::string label = checkpoint.path().text();
  ShapeSource shapes;
  const ModelInfo info = make_model(config, label, shapes)->info();
  check_tied_head(checkpoint, info);
  WeightMap headers;
  for (const std::string& name : checkpoint.tensor_names()) {
    if (name == info.tied_head || shapes.is_ignored(name)) continue;
    require_floating(checkpoint, name);
    headers.emplace(name,
                    at::empty(checkpoint.find(name)->shape, at::TensorOptions().device(at::kMeta)));
  }
  return build_model(config, label, headers);
}

nlohmann::json override_config(nlohmann::json config, const nlohmann::json& override) {
  if (override.is_object()) config.update(override);
  return config;
}

}  // namespace niah::models
