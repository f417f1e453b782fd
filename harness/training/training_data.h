// Batches for a recipe: each is a pure function of (recipe, step), so training can stop anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/training/recipe.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::zoo {

/// Makes the batches of a recipe.
class TrainingData {
 public:
  TrainingData(const Recipe& recipe, std::shared_ptr<const models::Tokenizer> tokenizer);

  /// The batch of step `step`, 0 .. steps-1.
  models::Batch batch(std::int64_t step) const;

 private:
  /// Token ids and the loss weight of each.
  struct Row {
    std::vector<std::int64_t> ids;
    std::vector<float> weights;
  };
  Row packed_row(std::int64_t step, std::int64_t row, std::int64_t tokens) const;
  Row exercise_row(std::int64_t step, std::int64_t row) const;
  void append(Row& row, const std::string& text, double weight) const;
  std::int64_t row_tokens(std::int64_t step) const;

  Recipe recipe_;
  std::shared_ptr<const models::Tokenizer> tokenizer_;
  std::unique_ptr<const tasks::DocumentMaker> documents_;
  std::int64_t bos_, eos_;
};

}  // namespace niah::zoo
