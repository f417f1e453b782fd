// A training recipe: everything that decides what comes out, in one YAML file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/training/lora.h"
#include "models/training/trainer.h"
#include "tasks/haystack/sources.h"
#include "tasks/reasoning/documents.h"

namespace niah::zoo {

/// What the rows of a batch are.
enum class DataKind {
  kDocuments,       ///< packed documents for the base model
  kChainOfThought,  ///< word problems answered step by step
  kDirect,          ///< the same problems answered at once: a control
  kInstructions,    ///< short instructions and look-ups: a control
  kNone,            ///< nothing is trained: the recipe only rescales its start
};

/// One stretch of training with rows of the same length.
struct Phase {
  double until = 1;           ///< where it ends, as a fraction of all steps
  std::int64_t tokens = 256;  ///< tokens a row
};

/// What a training reads.
struct DataSpec {
  DataKind kind = DataKind::kDocuments;
  tasks::HaystackSpec text;  ///< running text of documents
  double held_out = 0.3;     ///< first part of the text that training never sees
  std::vector<std::pair<tasks::DocumentKind, double>> mix;  ///< relative numbers of documents
  std::vector<Phase> phases;
  std::int64_t batch_tokens = 4096;  ///< tokens a step (documents)
  std::int64_t batch_problems = 16;  ///< problems a step (fine-tunes)
};

/// A recipe for a model: a fresh one, or a fine-tune of a checkpoint.
struct Recipe {
  std::string name;
  std::uint64_t seed = 1;
  std::filesystem::path tokenizer;
  std::filesystem::path start;  ///< checkpoint to start from; empty: fresh weights
  nlohmann::json model;         ///< config.json of a fresh model
  DataSpec data;
  models::TrainOptions train;
  /// Of a fine-tune that trains low-rank factors and leaves an adapter of `start`.
  std::optional<models::LoraOptions> lora;
  /// After training, multiply W_Q and W_K of the softmax layers by this. With q/k norms the
  /// function stays the same, but a later AdamW step of the same size moves them relatively more.
  double rescale_qk = 1;
  /// Every so many steps of a fine-tune, W_Q and W_K of the softmax layers are put back to those of
  /// `start`; 0: never.
  std::int64_t restore_qk_every = 0;
  std::int64_t save_every = 250;  ///< steps between resumable states
};

/// A recipe for the tokenizer: SentencePiece unigram on the base model's documents.
struct TokenizerRecipe {
  std::string name;
  std::uint64_t seed = 1;
  DataSpec data;
  std::int64_t vocab_size = 1056;
  std::int64_t documents = 20000;  ///< documents to learn the pieces from
};

/// Whether the file is a recipe for a tokenizer (it has `sentencepiece`).
bool is_tokenizer_recipe(const std::filesystem::path& path);
/// Reads and checks a recipe for a tokenizer. Throws what read_recipe throws.
TokenizerRecipe read_tokenizer_recipe(const std::filesystem::path& path);

/// Reads and checks a recipe. Relative paths are resolved against the recipe's folder. Throws
/// UsageError with file:line:column.
Recipe read_recipe(const std::filesystem::path& path);

}  // namespace niah::zoo
