#include "harness/training/recipe.h"

#include <fmt/format.h>

#include <cmath>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "harness/config/yaml.h"

namespace niah::zoo {
namespace {

namespace fs = std::filesystem;

// What a recipe may ask for.
constexpr IntegerRange kSteps{1, 1'000'000'000};
constexpr IntegerRange kWarmup{0, 1'000'000'000};
constexpr IntegerRange kRowTokens{16, std::int64_t{1} << 20};
constexpr IntegerRange kBatchTokens{16, std::int64_t{1} << 24};
constexpr IntegerRange kBatchProblems{1, 65'536};
constexpr IntegerRange kPieces{400, 1'000'000};
constexpr IntegerRange kDocuments{1, 10'000'000};
constexpr NumberRange kShare{0, 1};
constexpr NumberRange kAbove0{.low = 0, .open_low = true};
constexpr NumberRange kBelow1{.low = 0, .high = 1, .open_high = true};

DataKind read_data_kind(YamlMap& map) {
  const std::string kind = map.text("kind");
  if (kind == "documents") return DataKind::kDocuments;
  if (kind == "chain_of_thought") return DataKind::kChainOfThought;
  if (kind == "direct") return DataKind::kDirect;
  map.refuse("kind", fmt::format("expected documents, chain_of_thought or direct, got '{}'",
                                 valid_utf8(kind)));
}

/// Text and mix: what documents are made of.
void read_mix(YamlMap& map, DataSpec& data, const fs::path& base) {
  YamlMap text = map.map("text");
  const std::string source = text.text("kind");
  data.text.kind = at_its_place(text, "kind", [&] { return tasks::parse_haystack_kind(source); });
  if (text.has("path")) data.text.path = base / text.text("path");
  text.text("path", "");
  at_its_place(text, "path", [&] { tasks::require_path(data.text); });
  data.held_out = text.number("held_out", 0.3, kBelow1);
  text.finish();

  YamlMap mix = map.map("mix");
  double total = 0;
  for (const std::string& kind : mix.keys()) {
    data.mix.emplace_back(at_its_place(mix, kind, [&] { return tasks::parse_document_kind(kind); }),
                          mix.number(kind, {.low = 0}));
    total += data.mix.back().second;
  }
  if (!(total > 0) || !std::isfinite(total))
    map.refuse("mix", "expected shares, one of them above 0, such as {needle: 5, text: 1}");
}

void read_documents(YamlMap& map, DataSpec& data, const fs::path& base) {
  read_mix(map, data, base);
  for (YamlMap& phase : map.maps("phases")) {
    data.phases.push_back({phase.number("until", {.low = 0, .high = 1, .open_low = true}),
                           phase.integer("tokens", kRowTokens)});
    phase.finish();
    const std::size_t count = data.phases.size();
    if (count > 1 && data.phases[count - 1].until <= data.phases[count - 2].until)
      phase.refuse("until", "expected more than the phase before it");
  }
  if (data.phases.back().until != 1) map.refuse("phases", "the last phase must end at 1");
  data.batch_tokens = map.integer("batch_tokens", 4096, kBatchTokens);
}

models::TrainOptions read_train(YamlMap map) {
  models::TrainOptions train;
  train.steps = map.integer("steps", kSteps);
  train.learning_rate.peak = map.number("learning_rate", kAbove0);
  train.learning_rate.warmup_steps = map.integer("warmup_steps", 0, kWarmup);
  train.learning_rate.decay_from = map.number("decay_from", 1, kShare);
  train.learning_rate.floor = map.number("decay_to", 0, kShare);
  train.beta1 = map.number("beta1", 0.9, kBelow1);
  train.beta2 = map.number("beta2", 0.95, kBelow1);
  train.weight_decay = map.number("weight_decay", 0, {.low = 0});
  train.clip = map.number("clip", 1, kAbove0);
  train.bf16 = map.boolean("bf16", true);
  map.finish();
  return train;
}

nlohmann::json read_fresh_model(YamlMap& map) {
  if (!map.has("model")) return nullptr;
  const YAML::Node node = map.raw("model");
  if (!node.IsMap()) map.refuse("model", "expected the fields of a config.json");
  return yaml_to_json(node);
}

}  // namespace

bool is_tokenizer_recipe(const fs::path& path) { return YamlMap::read(path).has("sentencepiece"); }

TokenizerRecipe read_tokenizer_recipe(const fs::path& path) {
  YamlMap map = YamlMap::read(path);
  TokenizerRecipe recipe;
  recipe.name = map.text("name");
  recipe.seed = static_cast<std::uint64_t>(map.integer("seed", 1, kNotNegative));
  YamlMap pieces = map.map("sentencepiece");
  recipe.vocab_size = pieces.integer("vocab_size", recipe.vocab_size, kPieces);
  recipe.documents = pieces.integer("documents", recipe.documents, kDocuments);
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
  recipe.seed = static_cast<std::uint64_t>(map.integer("seed", 1, kNotNegative));
  recipe.tokenizer = base / map.text("tokenizer");
  if (map.has("start") == map.has("model"))
    map.refuse("start", "give either `start` (a checkpoint to fine-tune) or `model` (a fresh one)");
  if (map.has("start")) recipe.start = base / map.text("start");
  recipe.model = read_fresh_model(map);
  YamlMap data = map.map("data");
  recipe.data.kind = read_data_kind(data);
  if (recipe.data.kind == DataKind::kDocuments)
    read_documents(data, recipe.data, base);
  else
    recipe.data.batch_problems = data.integer("batch_problems", 16, kBatchProblems);
  data.finish();
  recipe.train = read_train(map.map("train"));
  if (map.has("freeze"))
    recipe.train.freeze = at_its_place(
        map, "freeze", [&] { return models::parse_weight_parts(map.texts("freeze")); });
  recipe.restore_qk_every = map.integer("restore_qk_every", 0, kNotNegative);
  if (recipe.restore_qk_every > 0 && recipe.start.empty())
    map.refuse("restore_qk_every", "a fresh model has no W_Q and W_K to put back; give `start`");
  recipe.rescale_qk = map.number("rescale_qk", 1, kAbove0);
  recipe.save_every = map.integer("save_every", 250, kSteps);
  map.finish();
  return recipe;
}

}  // namespace niah::zoo
