// The zoo's recipes and their training batches.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/training/tokenizer_training.h"
#include "harness/training/train.h"
#include "harness/training/training_data.h"
#include "models/checkpoint/checkpoint.h"
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
}

TEST(Recipes, ShippedCheckpointsAreWhatTheyDescribe) {
  const Recipe base = read_recipe(kRecipes / "base.yaml");
  for (const char* name : {"base", "cot-sft", "direct-sft"}) {
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
  refused("save_every: 1", "save_every: 1\nfreeze: [head, q]",
          "freeze was not said, is now q; head");
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
}

}  // namespace
}  // namespace niah::zoo
