#include "harness/training/training_data.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/training/documents.h"
#include "tasks/reasoning/instruction.h"
#include "tasks/reasoning/word_problem.h"

namespace niah::zoo {
namespace {

// With fewer tokens left in a row than this, no question fits: running text fills it.
constexpr std::int64_t kMinDocument = 100;
constexpr float kEosWeight = 0.5F;

/// What a row of a fine-tune asks, and the answer that is learnt.
tasks::Instruction exercise(DataKind kind, tasks::CounterRng& rng) {
  if (kind == DataKind::kInstructions) return tasks::make_instruction(rng);
  const auto steps = 3 + static_cast<std::int64_t>(rng.below(4));
  const tasks::WordProblem problem = tasks::make_word_problem(rng, steps);
  return {problem.prompt(), kind == DataKind::kDirect ? problem.direct : problem.chain_of_thought};
}

}  // namespace

TrainingData::TrainingData(const Recipe& recipe, std::shared_ptr<const models::Tokenizer> tokenizer)
    : recipe_(recipe), tokenizer_(std::move(tokenizer)) {
  if (tokenizer_->prefix_ids().size() != 1 || !tokenizer_->eos_id())
    throw UsageError(
        fmt::format("the tokenizer {} must name a BOS token to put in front and an EOS "
                    "token",
                    recipe.tokenizer.string()));
  bos_ = tokenizer_->prefix_ids().front();
  eos_ = *tokenizer_->eos_id();
  if (recipe_.data.kind != DataKind::kDocuments) return;
  const auto count = [this](std::string_view text) {
    return static_cast<std::int64_t>(tokenizer_->encode(text).size());
  };
  documents_ = std::make_unique<tasks::DocumentMaker>(training_sentences(recipe_.data), count);
}

void TrainingData::append(Row& row, const std::string& text, double weight) const {
  for (const models::TokenId id : tokenizer_->encode(text)) {
    row.ids.push_back(id);
    row.weights.push_back(static_cast<float>(weight));
  }
}

std::int64_t TrainingData::row_tokens(std::int64_t step) const {
  const double part = static_cast<double>(step) / static_cast<double>(recipe_.train.steps);
  for (const Phase& phase : recipe_.data.phases)
    if (part < phase.until) return phase.tokens;
  return recipe_.data.phases.back().tokens;
}

TrainingData::Row TrainingData::packed_row(std::int64_t step, std::int64_t row,
                                           std::int64_t tokens) const {
  tasks::CounterRng rng(fmt::format("zoo-documents-1/{}/{}/{}", recipe_.seed, step, row));
  Row out{{bos_}, {0}};
  const auto wanted = static_cast<std::size_t>(tokens) + 1;
  while (out.ids.size() < wanted) {
    const auto room = static_cast<std::int64_t>(wanted - out.ids.size());
    const tasks::DocumentKind kind =
        room < kMinDocument ? tasks::DocumentKind::kText : choose_document(recipe_.data, rng);
    for (const tasks::Segment& segment : documents_->make(kind, room, rng))
      append(out, segment.text, segment.weight);
    out.ids.push_back(eos_);
    out.weights.push_back(kEosWeight);
  }
  out.ids.resize(wanted);
  out.weights.resize(wanted);
  return out;
}

TrainingData::Row TrainingData::exercise_row(std::int64_t step, std::int64_t row) const {
  tasks::CounterRng rng(fmt::format("zoo-problems-1/{}/{}/{}", recipe_.seed, step, row));
  const auto [prompt, answer] = exercise(recipe_.data.kind, rng);
  Row out{{bos_}, {0}};
  append(out, prompt, 0);
  append(out, answer, 1);
  out.ids.push_back(eos_);
  out.weights.push_back(1);
  return out;
}

models::Batch TrainingData::batch(std::int64_t step) const {
  std::vector<Row> rows;
  if (recipe_.data.kind == DataKind::kDocuments) {
    const std::int64_t tokens = row_tokens(step);
    for (std::int64_t i = 0; i < std::max<std::int64_t>(1, recipe_.data.batch_tokens / tokens); ++i)
      rows.push_back(packed_row(step, i, tokens));
  } else {
    for (std::int64_t i = 0; i < recipe_.data.batch_problems; ++i)
      rows.push_back(exercise_row(step, i));
  }
  std::size_t longest = 0;
  for (const Row& row : rows) longest = std::max(longest, row.ids.size());
  const auto count = static_cast<std::int64_t>(rows.size());
  models::Batch batch{at::empty({count, static_cast<std::int64_t>(longest)}, at::kLong),
                      at::empty({count, static_cast<std::int64_t>(longest)}, at::kFloat)};
  auto* ids = batch.ids.mutable_data_ptr<std::int64_t>();
  auto* weights = batch.weights.mutable_data_ptr<float>();
  for (Row& row : rows) {
    row.ids.resize(longest, eos_);
    row.weights.resize(longest, 0);
    ids = std::copy(row.ids.begin(), row.ids.end(), ids);
    weights = std::copy(row.weights.begin(), row.weights.end(), weights);
  }
  return batch;
}

}  // namespace niah::zoo
