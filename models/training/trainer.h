// AdamW on a causal language model, resumable at any step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// Rows of tokens and how much each counts.
struct Batch {
  at::Tensor ids;      ///< [B, T+1] int64; position t predicts t+1
  at::Tensor weights;  ///< [B, T+1] fp32; weight of predicting the token that stands here
};

/// Learning rate by step: linear warm-up, constant, then linear decay to a floor.
struct LearningRate {
  double peak = 1e-3;
  std::int64_t warmup_steps = 0;
  double decay_from = 1;  ///< part of all steps after which the rate falls; 1 = never
  double floor = 0;       ///< part of `peak` at the end
  double at(std::int64_t step, std::int64_t steps) const;
};

struct TrainOptions {
  std::int64_t steps = 0;
  LearningRate learning_rate;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0;  ///< on matrices only
  double clip = 1;          ///< global gradient norm
  bool bf16 = true;         ///< bf16 autocast over fp32 weights
};

struct StepResult {
  double loss = 0;        ///< weighted mean of the cross entropy, nats
  at::Tensor token_loss;  ///< [B, T] fp32, unweighted
};

/// The loss of next-token logits [B, T, vocab] on a batch, and the unweighted loss of every token
/// [B, T].
std::pair<at::Tensor, at::Tensor> weighted_loss(const at::Tensor& logits, const Batch& batch);

/// What a caller wants to know again when it continues, by name.
using TrainNotes = std::map<std::string, std::string>;

/// Trains all parameters of `model` in place.
class Trainer {
 public:
  Trainer(std::shared_ptr<CausalLM> model, const TrainOptions& options);

  /// One optimizer step. Throws DataError when the loss is not finite.
  StepResult step(const Batch& batch);
  /// Steps done.
  std::int64_t steps_done() const { return done_; }

  /// Parameters, moments and step count in one file, written atomically; `notes` of the caller's go
  /// with them.
  void save(const std::filesystem::path& path, const TrainNotes& notes = {}) const;
  /// The notes of a file of save(). Throws DataError when it is none.
  static TrainNotes read_notes(const std::filesystem::path& path);
  /// Continues from save(). Throws DataError when the file belongs to another model.
  void load(const std::filesystem::path& path);

 private:
  /// Parameters that share a weight decay, with their moments.
  struct Group {
    std::vector<std::string> names;
    std::vector<at::Tensor> params, mean, square, steps;
    double weight_decay = 0;
  };
  StepResult backward(const Batch& batch);
  void clip_gradients();

  std::shared_ptr<CausalLM> model_;
  TrainOptions options_;
  std::vector<Group> groups_;
  std::int64_t done_ = 0;
};

/// Fresh parameters: normal, 0.02 for the embedding, 1/sqrt(fan in) for matrices, divided by
/// sqrt(2 x layers) for those that write to the residual stream; ones for norms.
class RandomSource : public TensorSource {
 public:
  RandomSource(std::uint64_t seed, std::int64_t layers);
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) override;
  bool has(const std::string&) const override { return false; }
  void ignore(const std::string&) override {}

 private:
  at::Generator generator_;
  std::int64_t layers_;
};

/// The model's parameters by checkpoint name (shared, not copied).
WeightMap parameters_of(const CausalLM& model);

}  // namespace niah::models
