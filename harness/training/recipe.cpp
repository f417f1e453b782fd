#include "harness/training/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

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
constexpr IntegerRange kRank{1, 65'536};
constexpr IntegerRange kAlpha{1, 1'000'000};
constexpr IntegerRange kPieces{400, 1'000'000};
constexpr IntegerRange kDocuments{1, 10'000'000};
constexpr NumberRange kShare{0, 1};
constexpr NumberRange kAbove0{.low = 0, .open_low = true};
constexpr NumberRange kBelow1{.low = 0, .high = 1, .open_high = true};

/// The parts with matrices that LoRA can adapt.
constexpr models::WeightPart kProjections[] = {
    models::WeightPart::kQuery,  models::WeightPart::kKey,  models::WeightPart::kValue,
    models::WeightPart::kOutput, models::WeightPart::kGate, models::WeightPart::kLinear,
    models::WeightPart::kMlp};

DataKind read_data_kind(YamlMap& map) {
  const std::string kind = map.text("kind");
  if (kind == "documents") return DataKind::kDocuments;
  if (kind == "chain_of_thought") return DataKind::kChainOfThought;
  if (kind == "direct") return DataKind::kDirect;
  if (kind == "instructions") return DataKind::kInstructions;
  map.refuse("kind",
             fmt::format("expected documents, chain_of_thought, direct or instructions, got '{}'",
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

DataSpec read_data(YamlMap map, const fs::path& base) {
  DataSpec data;
  data.kind = read_data_kind(map);
  if (data.kind == DataKind::kDocuments)
    read_documents(map, data, base);
  else
    data.batch_problems = map.integer("batch_problems", 16, kBatchProblems);
  map.finish();
  return data;
}

/// Whether nothing but W_Q and W_K of `start` is to be changed: neither `data` nor `train` is
/// given.
bool only_rescales(YamlMap& map, const Recipe& recipe) {
  return !recipe.start.empty() && recipe.rescale_qk != 1 && !map.has("data") && !map.has("train");
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

std::set<models::WeightPart> parse_projections(const std::vector<std::string>& names) {
  std::set<models::WeightPart> parts = models::parse_weight_parts(names);
  for (const models::WeightPart part : parts)
    if (std::ranges::find(kProjections, part) == std::end(kProjections)) {
      std::vector<std::string> known;
      for (const models::WeightPart projection : kProjections)
        known.push_back(models::weight_part_name(projection));
      throw UsageError(fmt::format("'{}' has no projections that factors can adapt; there are: {}",
                                   models::weight_part_name(part), fmt::join(known, ", ")));
    }
  return parts;
}

std::optional<models::LoraOptions> read_lora(YamlMap& map) {
  std::optional<YamlMap> lora = map.optional_map("lora");
  if (!lora && map.raw("lora").IsDefined())
    map.refuse("lora", "there is no value; give `lora: {}` to take every default");
  if (!lora) return std::nullopt;
  if (!map.has("start"))
    map.refuse("lora", "an adapter changes a checkpoint that is there already; give `start`");
  if (map.has("freeze"))
    map.refuse("freeze", "with `lora` all weights are frozen; name the parts to adapt in `lora`");
  if (map.has("restore_qk_every"))
    map.refuse("restore_qk_every", "with `lora` no weights are trained that could be put back");
  if (map.has("rescale_qk"))
    map.refuse("rescale_qk", "with `lora` the weights stay those of `start`");
  models::LoraOptions options;
  options.rank = lora->integer("rank", options.rank, kRank);
  options.alpha = lora->integer("alpha", options.alpha, kAlpha);
  if (lora->has("parts")) {
    const std::vector<std::string> names = lora->texts("parts");
    options.parts = at_its_place(*lora, "parts", [&] { return parse_projections(names); });
  }
  lora->finish();
  return options;
}

std::set<models::WeightPart> read_freeze(YamlMap& map) {
  if (!map.raw("freeze").IsDefined()) return {};
  const std::vector<std::string> names = map.texts("freeze");
  return at_its_place(map, "freeze", [&] { return models::parse_weight_parts(names); });
}

std::int64_t read_restore_qk_every(YamlMap& map, const Recipe& recipe) {
  const std::int64_t every = map.integer("restore_qk_every", 0, kNotNegative);
  if (every == 0) return every;
  if (recipe.start.empty())
    map.refuse("restore_qk_every", "a fresh model has no W_Q and W_K to put back; give `start`");
  if (every > recipe.train.steps)
    map.refuse("restore_qk_every",
               fmt::format("training ends after {} steps, so nothing would be put back",
                           recipe.train.steps));
  return every;
}

/// Throws UsageError where one key would undo what another asks for.
void refuse_contradictions(const YamlMap& map, const Recipe& recipe) {
  const bool holds_q = recipe.train.freeze.contains(models::WeightPart::kQuery);
  const bool holds_k = recipe.train.freeze.contains(models::WeightPart::kKey);
  if ((holds_q || holds_k) && recipe.rescale_qk != 1)
    map.refuse("rescale_qk", "it would change W_Q and W_K, which `freeze` leaves as they are");
  if (holds_q && holds_k && recipe.restore_qk_every > 0)
    map.refuse("restore_qk_every", "`freeze` leaves W_Q and W_K as they are all the time");
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
  map.keep_problems();
  TokenizerRecipe recipe;
  map.attempt([&] { recipe.name = map.text("name"); });
  recipe.seed = static_cast<std::uint64_t>(map.integer("seed", 1, kNotNegative));
  map.attempt([&] {
    YamlMap pieces = map.map("sentencepiece");
    recipe.vocab_size = pieces.integer("vocab_size", recipe.vocab_size, kPieces);
    recipe.documents = pieces.integer("documents", recipe.documents, kDocuments);
    pieces.finish();
  });
  map.attempt([&] {
    YamlMap data = map.map("data");
    read_mix(data, recipe.data, path.parent_path());
    data.finish();
  });
  map.finish();
  map.throw_problems();
  return recipe;
}

Recipe read_recipe(const fs::path& path) {
  YamlMap map = YamlMap::read(path);
  if (map.has("models") && !map.has("train"))
    map.refuse("models", "this is a sweep, which `niah run` runs; a training recipe was expected");
  map.keep_problems();
  const fs::path base = path.parent_path();
  Recipe recipe;
  map.attempt([&] { recipe.name = map.text("name"); });
  recipe.seed = static_cast<std::uint64_t>(map.integer("seed", 1, kNotNegative));
  map.attempt([&] { recipe.tokenizer = base / map.text("tokenizer"); });
  map.attempt([&] {
    if (map.has("start") == map.has("model"))
      map.refuse("start",
                 "give either `start` (a checkpoint to fine-tune) or `model` (a fresh one)");
  });
  map.attempt([&] {
    if (map.has("start")) recipe.start = base / map.text("start");
  });
  map.attempt([&] { recipe.model = read_fresh_model(map); });
  recipe.rescale_qk = map.number("rescale_qk", 1, kAbove0);
  if (only_rescales(map, recipe)) {
    recipe.data.kind = DataKind::kNone;
  } else {
    map.attempt([&] { recipe.data = read_data(map.map("data"), base); });
    const bool knows_steps = map.attempt([&] { recipe.train = read_train(map.map("train")); });
    map.attempt([&] { recipe.lora = read_lora(map); });
    map.attempt([&] { recipe.train.freeze = read_freeze(map); });
    if (knows_steps)
      map.attempt([&] { recipe.restore_qk_every = read_restore_qk_every(map, recipe); });
    else
      (void)map.raw("restore_qk_every");  // it is a known key
    map.attempt([&] { refuse_contradictions(map, recipe); });
    recipe.save_every = map.integer("save_every", 250, kSteps);
  }
  map.finish();
  map.throw_problems();
  return recipe;
}

}  // namespace niah::zoo
