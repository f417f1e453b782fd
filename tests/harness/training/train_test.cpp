// The zoo's recipes and their training batches.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/training/tokenizer_training.h"
#include "harness/training/train.h"
#include "harness/training/training_data.h"
#include "models/checkpoint/checkpoint.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/paths.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah::zoo {
namespace {

namespace fs = std::filesystem;

const fs::path kRecipes = fs::path(NIAH_SOURCE_DIR) / "configs/zoo";
const fs::path kZoo = fs::path(NIAH_SOURCE_DIR) / "models/zoo";

TEST(Recipes, ShippedOnesAreValid) {
  EXPECT_TRUE(is_tokenizer_recipe(kRecipes / "tokenizer.yaml"));
  EXPECT_EQ(read_tokenizer_recipe(kRecipes / "tokenizer.yaml").vocab_size, 1056);
  const Recipe base = read_recipe(kRecipes / "base.yaml");
  EXPECT_EQ(base.model["attn_logits_scaling"], "hype 128");
  EXPECT_EQ(base.model["rope_theta"], 10000);
  EXPECT_EQ(base.rescale_qk, 0.1);
  EXPECT_EQ(read_recipe(kRecipes / "cot-sft.yaml").data.kind, DataKind::kChainOfThought);
  EXPECT_EQ(read_recipe(kRecipes / "direct-sft.yaml").data.kind, DataKind::kDirect);
  EXPECT_EQ(read_recipe(kRecipes / "base-plain.yaml").data.kind, DataKind::kNone);
  EXPECT_EQ(read_recipe(kRecipes / "cot-sft-plain.yaml").train.freeze,
            (std::set{models::WeightPart::kEmbedding, models::WeightPart::kHead}));
  EXPECT_EQ(read_recipe(kRecipes / "instruct-sft-plain.yaml").data.kind, DataKind::kInstructions);
  EXPECT_EQ(read_recipe(kRecipes / "cot-lora.yaml").lora->rank, 16);
  EXPECT_EQ(read_recipe(kRecipes / "cot-qk-frozen.yaml").train.freeze.size(), 2U);
  EXPECT_EQ(read_recipe(kRecipes / "cot-qk-held.yaml").restore_qk_every, 20);
}

TEST(Recipes, ShippedCheckpointsAreWhatTheyDescribe) {
  const Recipe base = read_recipe(kRecipes / "base.yaml");
  for (const char* name :
       {"base", "cot-sft", "direct-sft", "base-plain", "cot-sft-plain", "instruct-sft-plain"}) {
    EXPECT_EQ(models::Checkpoint(kZoo / name).config(), base.model) << name;
    EXPECT_EQ(models::open_tokenizer(kZoo / name)->sha256(),
              models::open_tokenizer(kZoo / "tokenizer")->sha256());
    EXPECT_LT(fs::file_size(kZoo / name / "model.safetensors"), 10'000'000U);
  }
}

TEST(TrainingData, ProblemsWeighOnlyTheResponse) {
  const Recipe recipe = read_recipe(kRecipes / "cot-sft.yaml");
  const auto tokenizer = models::open_tokenizer(recipe.tokenizer);
  const TrainingData data(recipe, tokenizer);
  const models::Batch batch = data.batch(3);
  EXPECT_TRUE(at::equal(batch.ids, data.batch(3).ids));
  EXPECT_FALSE(at::equal(batch.ids.narrow(1, 0, 40), data.batch(4).ids.narrow(1, 0, 40)));
  ASSERT_EQ(batch.ids.size(0), 16);
  for (std::int64_t row = 0; row < 16; ++row) {
    std::vector<models::TokenId> asked, answered;
    for (std::int64_t t = 1; t < batch.ids.size(1); ++t) {
      const auto id = static_cast<models::TokenId>(batch.ids[row][t].item<std::int64_t>());
      const bool counts = batch.weights[row][t].item<float>() > 0;
      if (id == *tokenizer->eos_id()) continue;
      (counts ? answered : asked).push_back(id);
    }
    const std::string question = tokenizer->decode(asked), answer = tokenizer->decode(answered);
    EXPECT_TRUE(question.starts_with("Question: ") && question.ends_with("\nAnswer:")) << question;
    EXPECT_NE(answer.find("The answer is "), std::string::npos) << answer;
  }
}

TEST(TrainingData, InstructionsAreAskedWithoutAChainOfThought) {
  Recipe recipe = read_recipe(kRecipes / "cot-sft.yaml");
  recipe.data.kind = DataKind::kInstructions;
  const auto tokenizer = models::open_tokenizer(recipe.tokenizer);
  const models::Batch batch = TrainingData(recipe, tokenizer).batch(0);
  ASSERT_EQ(batch.ids.size(0), 16);
  EXPECT_LT(batch.ids.size(1), 200) << "they are short";
  EXPECT_GT(batch.weights.sum().item<float>(), 16);
}

/// A recipe that trains a tiny model for a few steps on word problems.
fs::path tiny_recipe(const fs::path& folder, int steps) {
  const fs::path path = folder / "tiny.yaml";
  write_file(
      path,
      "name: tiny\nseed: 4\ntokenizer: " + (kZoo / "tokenizer").string() +
          "\nmodel:\n  model_type: hypenet\n  vocab_size: 1056\n  hidden_size: 32\n"
          "  intermediate_size: 48\n  num_hidden_layers: 2\n  mixer_types: [lightning-attn, attn]\n"
          "  num_attention_heads: 2\n  num_key_value_heads: 1\n  head_dim: 16\n"
          "data: {kind: direct, batch_problems: 4}\n"
          "train: {steps: " +
          std::to_string(steps) +
          ", learning_rate: 1e-3, bf16: false}\n"
          "save_every: 2\nrescale_qk: 0.5\n");
  return path;
}

TEST(Train, LeavesACheckpointThatLoadsAndIsTheSameAgain) {
  const TemporaryFolder folder;
  const Recipe recipe = read_recipe(tiny_recipe(folder.path(), 5));
  train(recipe, {folder.path() / "a", true});
  train(recipe, {folder.path() / "b", true});
  EXPECT_EQ(models::Checkpoint(folder.path() / "a").weights_sha256(),
            models::Checkpoint(folder.path() / "b").weights_sha256());
  EXPECT_EQ(models::load_model(folder.path() / "a", at::kFloat)->info().vocab_size, 1056);
  EXPECT_TRUE(fs::exists(folder.path() / "a" / "tokenizer.model"));
  EXPECT_FALSE(fs::exists(folder.path() / "a.work"));
}

TEST(Train, ARecipeWithoutTrainingOnlyRescales) {
  const TemporaryFolder folder;
  train(read_recipe(kRecipes / "base-plain.yaml"), {folder.path() / "plain", true});
  const auto weights = [](const fs::path& checkpoint) {
    return models::load_weights(std::make_shared<models::Checkpoint>(checkpoint), at::kFloat);
  };
  const auto base = weights(kZoo / "base"), plain = weights(folder.path() / "plain");
  ASSERT_EQ(plain.size(), base.size());
  for (const auto& [name, tensor] : base) {
    const bool rescaled = name == "model.layers.3.self_attn.q_proj.weight" ||
                          name == "model.layers.3.self_attn.k_proj.weight";
    EXPECT_TRUE(at::equal(plain.at(name), rescaled ? tensor * 10 : tensor)) << name;
  }
}

/// Replaces `from` by `to` in the recipe's file.
void edit(const fs::path& path, const std::string& from, const std::string& to) {
  std::string text = read_file(path, "test");
  ASSERT_NE(text.find(from), std::string::npos) << from;
  write_file(path, text.replace(text.find(from), from.size(), to));
}

std::string refusal(const Recipe& recipe, const fs::path& out) {
  return refusal_of<Error>([&] { train(recipe, {out, true}); });
}

TEST(Train, AStateOfAnotherTrainingIsRefusedByName) {
  const TemporaryFolder folder;
  const fs::path path = tiny_recipe(folder.path(), 5), out = folder.path() / "a";
  edit(path, "save_every: 2", "save_every: 1");
  edit(path, "learning_rate: 1e-3", "learning_rate: 1e30");
  EXPECT_NE(refusal(read_recipe(path), out).find("not finite"), std::string::npos);
  ASSERT_TRUE(fs::exists(folder.path() / "a.work" / "state.safetensors")) << "kept to go on from";
  EXPECT_NE(refusal(read_recipe(path), out).find("not finite"), std::string::npos)
      << "the same recipe goes on";
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& why) {
    edit(path, from, to);
    const std::string message = refusal(read_recipe(path), out);
    EXPECT_NE(message.find(why), std::string::npos) << message;
    edit(path, to, from);
  };
  refused("seed: 4", "seed: 5", "seed was 4, is now 5");
  refused("1e30", "1e-3", "train.learning_rate was 1e+30, is now 0.001");
  refused("steps: 5", "steps: 6", "train.steps was 5, is now 6");
  refused("batch_problems: 4", "batch_problems: 3", "data.batch_problems was 4, is now 3");
  refused("intermediate_size: 48", "intermediate_size: 64", "model was ");
  refused("save_every: 1", "save_every: 1\nfreeze: [head, v]",
          "freeze was not said, is now v; head. Give");
}

TEST(Train, NothingThatItDidNotWriteIsTouched) {
  const TemporaryFolder folder;
  const Recipe recipe = read_recipe(tiny_recipe(folder.path(), 1));
  const TokenizerRecipe pieces = read_tokenizer_recipe(kRecipes / "tokenizer.yaml");
  const fs::path mine = folder.path() / "mine";
  fs::create_directories(mine);
  write_file(mine / "notes.txt", "precious");
  EXPECT_THROW(train(recipe, {mine, true}), UsageError);
  EXPECT_THROW(train_tokenizer(pieces, mine), UsageError);
  EXPECT_EQ(read_file(mine / "notes.txt", "test"), "precious");
  EXPECT_FALSE(fs::exists(folder.path() / "mine.work"));

  fs::create_directories(folder.path() / "out.work");
  write_file(folder.path() / "out.work" / "notes.txt", "precious");
  EXPECT_NE(refusal(recipe, folder.path() / "out").find("holds other things (notes.txt)"),
            std::string::npos);
  EXPECT_TRUE(fs::exists(folder.path() / "out.work" / "notes.txt"));
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

/// A recipe that fine-tunes a tiny model by LoRA; makes its base, too.
fs::path lora_recipe(const fs::path& folder) {
  train(read_recipe(tiny_recipe(folder, 1)), {folder / "base", true});
  const fs::path path = folder / "lora.yaml";
  write_file(path, "name: lora\nseed: 4\ntokenizer: " + (kZoo / "tokenizer").string() +
                       "\nstart: base\ndata: {kind: direct, batch_problems: 2}\n"
                       "train: {steps: 3, learning_rate: 1e-2, bf16: false}\n"
                       "lora: {rank: 2, alpha: 4}\nsave_every: 1\n");
  return path;
}

TEST(Train, LoraLeavesAnAdapterOfItsStart) {
  const TemporaryFolder folder;
  const fs::path path = lora_recipe(folder.path()), base = folder.path() / "base";
  const std::string before = models::Checkpoint(base).weights_sha256();
  train(read_recipe(path), {folder.path() / "a", true});
  train(read_recipe(path), {folder.path() / "b", true});
  EXPECT_EQ(models::Checkpoint(base).weights_sha256(), before);
  const auto adapted = [&](const char* name) {
    return models::Checkpoint({base, folder.path() / name}).weights_sha256();
  };
  EXPECT_NE(adapted("a"), before);
  EXPECT_EQ(adapted("a"), adapted("b"));
  EXPECT_FALSE(fs::exists(folder.path() / "a" / "model.safetensors"));
  EXPECT_TRUE(fs::exists(folder.path() / "a" / "tokenizer.model"));
  const auto config =
      nlohmann::json::parse(read_file(folder.path() / "a" / "adapter_config.json", "test"));
  EXPECT_EQ(config["base_model_name_or_path"], base.string());
  EXPECT_EQ(config["r"], 2);
  EXPECT_EQ(config["lora_alpha"], 4);
  EXPECT_EQ(config["target_modules"][0], "model.layers.0.self_attn.q_proj");
}

TEST(Train, AnAdapterThatIsWholeIsNotTrainedAgain) {
  const TemporaryFolder folder;
  const Recipe recipe = read_recipe(lora_recipe(folder.path()));
  const fs::path out = folder.path() / "a", work = folder.path() / "a.work";
  train(recipe, {out, true});
  fs::create_directory(work);
  write_file(work / ".niah-training", "");
  write_file(work / "finished", "");
  EXPECT_EQ(refusal(recipe, out), "accepted");
  EXPECT_FALSE(fs::exists(work));
  EXPECT_NE(refusal(recipe, out), "accepted") << "it is the user's now";
}

TEST(Train, AStateOfAnotherLoraIsRefusedByName) {
  const TemporaryFolder folder;
  const fs::path path = lora_recipe(folder.path()), out = folder.path() / "a";
  edit(path, "learning_rate: 1e-2", "learning_rate: 1e30");
  EXPECT_NE(refusal(read_recipe(path), out).find("not finite"), std::string::npos);
  edit(path, "{rank: 2, alpha: 4}", "{rank: 3, alpha: 5, parts: [q]}");
  const std::string message = refusal(read_recipe(path), out);
  for (const char* why : {"lora.rank was 2, is now 3", "lora.alpha was 4, is now 5",
                          "lora.parts was not said, is now q; "})
    EXPECT_NE(message.find(why), std::string::npos) << message;
}

TEST(Train, ASlashAtTheEndOfItsFolderChangesNothing) {
  const TemporaryFolder folder;
  train(read_recipe(tiny_recipe(folder.path(), 1)), {folder.path() / "a" / "", true});
  EXPECT_TRUE(fs::exists(folder.path() / "a" / "model.safetensors"));
  EXPECT_FALSE(fs::exists(folder.path() / "a.work"));
  EXPECT_FALSE(fs::exists(folder.path() / "a" / ".work"));
}

TEST(Recipes, WrongOnesAreRefused) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string text = read_file(tiny_recipe(folder.path(), 2), "test");
    text.replace(text.find(from), from.size(), to);
    write_file(folder.path() / "bad.yaml", text);
    EXPECT_THROW(read_recipe(folder.path() / "bad.yaml"), UsageError) << to;
  };
  refused("kind: direct", "kind: indirect");
  refused("steps: 2", "steps: 0");
  refused("learning_rate", "learning_rat");
  refused("rescale_qk: 0.5", "rescale_qk: 0");
  refused("model:\n", "start: x\nmodel:\n");
  refused("save_every: 2", "save_every: 0");
  refused("batch_problems: 4", "batch_problems: 0");
  refused("seed: 4", "seed: -1");
  refused("steps: 2", "steps: 18446744073709551617");
  refused("learning_rate: 1e-3", "learning_rate: 0");
  refused("bf16: false", "beta1: 1");
  refused("save_every: 2", "save_every: 2\nfreeze: [mpl]");
  refused("save_every: 2", "save_every: 2\nrestore_qk_every: -1");
  refused("save_every: 2", "save_every: 2\nrestore_qk_every: 1");  // of a fresh model
  write_file(folder.path() / "bad.yaml",
             "name: x\ntokenizer: t\nstart: s\nrescale_qk: 10\nfreeze: [q]\n");
  EXPECT_THROW(read_recipe(folder.path() / "bad.yaml"), UsageError) << "nothing is trained";
}

TEST(Recipes, WhatWouldUndoItselfIsRefusedWithTheReason) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "recipe.yaml";
  const std::string head =
      "name: x\ntokenizer: t\nstart: base\ndata: {kind: direct}\n"
      "train: {steps: 3, learning_rate: 1e-2}\n";
  const std::pair<const char*, const char*> cases[] = {
      {"freeze: [k]\nrescale_qk: 0.5\n", "rescale_qk: it would change W_Q and W_K"},
      {"freeze: [q, k]\nrestore_qk_every: 1\n", "W_Q and W_K as they are all the time"},
      {"restore_qk_every: 4\n", "training ends after 3 steps, so nothing would be put back"},
      {"freeze:\n", "freeze: this key is required, and has no value"},
      {"freeze: []\n", "recipe.yaml:6:9: freeze: the list is empty"},
      {"lora:\n", "lora: there is no value; give `lora: {}`"}};
  for (const auto& [more, why] : cases) {
    write_file(path, head + more);
    const std::string message = refusal_of<UsageError>([&] { read_recipe(path); });
    EXPECT_NE(message.find(why), std::string::npos) << more << message;
    EXPECT_EQ(message.find("freeze: recipe"), std::string::npos) << message;
  }
  write_file(path, head + "freeze: [q]\nrestore_qk_every: 3\n");
  EXPECT_EQ(read_recipe(path).restore_qk_every, 3);
}

TEST(Recipes, WrongLorasAreRefusedWithTheReason) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "lora.yaml";
  const auto refusal_with = [&](const std::string& more) {
    write_file(path,
               "name: lora\ntokenizer: t\ndata: {kind: direct}\n"
               "train: {steps: 3, learning_rate: 1e-2}\n" +
                   more);
    return refusal_of<UsageError>([&] { read_recipe(path); });
  };
  EXPECT_EQ(refusal_with("start: base\nlora: {parts: [q, mlp]}\n"), "accepted");
  const std::pair<const char*, const char*> cases[] = {
      {"lora: {rank: 0}\n", "rank"},
      {"lora: {rank: 2, alpha: 0}\n", "alpha"},
      {"lora: {ranks: 2}\n", "ranks"},
      {"lora: {parts: []}\n", "the list is empty"},
      {"lora: {parts: [q, norms]}\n", "'norms' has no projections that factors can adapt"},
      {"lora: {parts: [mpl]}\n", "'mpl' is not a part of the weights"},
      {"lora: {}\nfreeze: [q]\n", "freeze: with `lora` all weights are frozen"},
      {"lora: {}\nrestore_qk_every: 2\n", "no weights are trained that could be put back"},
      {"lora: {}\nrescale_qk: 0.5\n", "with `lora` the weights stay those of `start`"}};
  for (const auto& [more, why] : cases) {
    const std::string message = refusal_with("start: base\n" + std::string(more));
    EXPECT_NE(message.find(why), std::string::npos) << more << message;
  }
  EXPECT_NE(refusal_with("model: {}\nlora: {}\n").find("give `start`"), std::string::npos);
}

}  // namespace
}  // namespace niah::zoo
