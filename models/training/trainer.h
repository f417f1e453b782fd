// Training of a causal language model with AdamW, resumable after any step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/causal_lm.h"
#include "models/surgery/restore_options.h"
#include "models/training/trainable.h"

namespace niah::models {

/// Token sequences and the weight of each token in the loss.
struct Batch {
  at::Tensor ids;      ///< [B, T+1] int64; position t predicts t+1
  at::Tensor weights;  ///< [B, T+1] fp32; weight of predicting the token at this position
};

/// Learning rate by step: linear warm-up, constant, then linear decay to a floor.
struct LearningRate {
  double peak = 1e-3;
  std::int64_t warmup_steps = 0;
  double decay_from = 1;  ///< fraction of all steps after which the rate decays; 1: never
  double floor = 0;       ///< final rate as a fraction of `peak`
  /// The rate of step `step` (from 0) of `steps`.
  double at(std::int64_t step, std::int64_t steps) const;
};

struct TrainOptions {
  std::int64_t steps = 0;
  LearningRate learning_rate;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0;      ///< on matrices only
  double clip = 1;              ///< maximum of the global gradient norm
  bool bf16 = true;             ///< bf16 autocast over fp32 weights
  std::set<WeightPart> freeze;  ///< parts that stay as they are
};

struct StepResult {
  double loss = 0;        ///< weighted mean of the cross entropy in nats
  at::Tensor token_loss;  ///< [B, T] fp32, unweighted
};

/// The weighted mean cross entropy of next-token logits [B, T, vocab] on a batch, and the
/// unweighted cross entropy of every token [B, T].
std::pair<at::Tensor, at::Tensor> weighted_loss(const at::Tensor& logits, const Batch& batch);

/// The caller's own values to store with a training state, by name.
using TrainNotes = std::map<std::string, std::string>;

/// Trains a model in place.
class Trainer {
 public:
  /// Trains all parameters of `model` but for the frozen parts. Throws UsageError if the model
  /// lacks one of these.
  Trainer(const std::shared_ptr<CausalLM>& model, const TrainOptions& options);
  /// Trains what `trained` says; `options` freezes nothing.
  Trainer(std::shared_ptr<CausalLM> model, std::shared_ptr<Trainable> trained,
          const TrainOptions& options);

  /// One optimizer step. Throws DataError when the loss is not finite.
  StepResult step(const Batch& batch);
  std::int64_t steps_done() const { return done_; }

  /// Writes what is trained, moments, step count and `notes` to one file, atomically.
  void save(const std::filesystem::path& path, const TrainNotes& notes = {}) const;
  /// The notes in a file written by save(). Throws DataError if it is not such a file.
  static TrainNotes read_notes(const std::filesystem::path& path);
  /// Continues from a file written by save(). Throws DataError if it belongs to another model.
  void load(const std::filesystem::path& path);

 private:
  /// Tensors that share a weight decay, with their moments.
  struct Group {
    std::vector<std::string> names;
    std::vector<at::Tensor> params, mean, square, steps;
    double weight_decay = 0;
  };
  StepResult backward(const Batch& batch);
  /// Of the parameters that the last batch reached.
  void for_each_gradient(const std::function<void(const at::Tensor&)>& use) const;
  void clip_gradients();

  std::shared_ptr<CausalLM> model_;
  TrainOptions options_;
  std::shared_ptr<Trainable> trained_;
  std::vector<Group> groups_;
  std::int64_t done_ = 0;
};

/// Initial parameters. Matrices are normal with standard deviation 1/sqrt(fan-in), 0.02 for the
/// embedding, divided by sqrt(2 x layers) for those that write to the residual stream. Biases are
/// zero, norm weights one.
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
