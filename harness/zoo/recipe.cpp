#include "harness/zoo/recipe.h"

#include <fmt/format.h>

#include <charconv>

#include "harness/config/yaml.h"

namespace niah::zoo {
namespace {

namespace fs = std::filesystem;

/// A YAML value as JSON: what a fresh model's config.json will hold.
nlohmann::json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& entry : node) object[entry.first.Scalar()] = to_json(entry.second);
    return object;
  }
  if (node.IsSequence()) {
    nlohmann::json list = nlohmann::json::array();
    for (const YAML::Node& item : node) list.push_back(to_json(item));
    return list;
  }
  if (node.IsNull()) return nullptr;
  const std::string& text = node.Scalar();
  // Quoted scalars carry the tag "!" and stay text: "hype 128", "1/sqrt(d)".
  if (node.Tag() == "!") return text;
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const bool plain = parsed.is_number() || parsed.is_boolean();
  return plain ? parsed : nlohmann::json(text);
}

DataKind read_data_kind(YamlMap& map) {
  const std::string kind = map.text("kind");
  if (kind == "documents") return DataKind::kDocuments;
  if (kind == "chain_of_thought") return DataKind::kChainOfThought;
  if (kind == "direct") return DataKind::kDirect;
  map.refuse("kind", "expected documents, chain_of_thought or direct, got '" + kind + "'");
}

/// Text and mix: what documents are made of.
void read_mix(YamlMap& map, DataSpec& data, const fs::path& base) {
  YamlMap text = map.map("text");
  data.text.kind = tasks::parse_haystack_kind(text.text("kind"));
  if (text.has("path")) data.text.path = base / text.text("path");
  data.held_out = text.number("held_out", 0.3);
  if (!(data.held_out >= 0 && data.held_out < 1))
    text.refuse("held_out", "expected a part from 0 to below 1");
  text.finish();

  YamlMap mix = map.map("mix");
  for (const std::string& kind : mix.keys())
    data.mix.emplace_back(tasks::parse_document_kind(kind), mix.number(kind));
}

void read_documents(YamlMap& map, DataSpec& data, const fs::path& base) {
  read_mix(map, data, base);
  for (YamlMap& phase : map.maps("phases")) {
    data.phases.push_back({phase.number("until"), phase.integer("tokens")});
    phase.finish();
  }
  if (data.phases.back().until != 1) map.refuse("phases", "the last phase must end at 1");
  data.batch_tokens = map.integer("batch_tokens", 4096);
}

models::TrainOptions read_train(YamlMap map) {
  models::TrainOptions train;
  train.steps = map.integer("steps");
  train.learning_rate.peak = map.number("learning_rate");
  train.learning_rate.warmup_steps = map.integer("warmup_steps", 0);
  train.learning_rate.decay_from = map.number("decay_from", 1);
  train.learning_rate.floor = map.number("decay_to", 0);
  train.beta1 = map.number("beta1", 0.9);
  train.beta2 = map.number("beta2", 0.95);
  train.weight_decay = map.number("weight_decay", 0);
  train.clip = map.number("clip", 1);
  train.bf16 = map.boolean("bf16", true);
  if (train.steps < 1) map.refuse("steps", "expected at least 1");
  map.finish();
  return train;
}

}  // namespace

bool is_tokenizer_recipe(const fs::path& path) { return YamlMap::read(path).has("sentencepiece"); }

TokenizerRecipe read_tokenizer_recipe(const fs::path& path) {
  YamlMap map = YamlMap::read(path);
  TokenizerRecipe recipe;
  recipe.name = map.text("name");
  recipe.seed = static_cast<std::uint64_t>(map.integer("seed", 1));
  YamlMap pieces = map.map("sentencepiece");
  recipe.vocab_size = pieces.integer("vocab_size", recipe.vocab_size);
  recipe.documents = pieces.integer("documents", recipe.documents);
  if (recipe.vocab_size < 400) pieces.refuse("vocab_size", "expected at least 400");
  if (recipe.documents < 1) pieces.refuse("documents", "expected at least 1");
  pieces.finish();
  YamlMap data = map.map("data");
  read_mix(data, recipe.data, path.parent_path());
  data.finish();
  map.finish();
  return recipe;
}

Recipe read_recipe(const fs::path& path) {
  YamlMap map = YamlMap::read(path);
  const fs::path base = path.parent_path();
  Recipe recipe;
  recipe.name = map.text("name");
  recipe.seed = static_cast<std::uint64_t>(map.integer("seed", 1));
  recipe.tokenizer = base / map.text("tokenizer");
  if (map.has("start") == map.has("model"))
    map.refuse("start", "give either `start` (a checkpoint to fine-tune) or `model` (a fresh one)");
  if (map.has("start")) recipe.start = base / map.text("start");
  if (map.has("model")) recipe.model = to_json(map.raw("model"));
  YamlMap data = map.map("data");
  recipe.data.kind = read_data_kind(data);
  if (recipe.data.kind == DataKind::kDocuments)
    read_documents(data, recipe.data, base);
  else
    recipe.data.batch_problems = data.integer("batch_problems", 16);
  data.finish();
  recipe.train = read_train(map.map("train"));
  recipe.rescale_qk = map.number("rescale_qk", 1);
  if (!(recipe.rescale_qk > 0)) map.refuse("rescale_qk", "expected a positive factor");
  recipe.save_every = map.integer("save_every", 250);
  map.finish();
  return recipe;
}

}  // namespace niah::zoo
