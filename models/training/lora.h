// LoRA: a fine-tune of low-rank factors A and B, with W = W0 + (alpha / r) B A for every adapted
// matrix. All other weights stay as they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/causal_lm.h"
#include "models/surgery/restore_options.h"
#include "models/training/trainable.h"

namespace niah::models {

struct LoraOptions {
  std::int64_t rank = 8;
  std::int64_t alpha = 16;
  /// The parts whose projections are adapted; empty: all projections of the mixers and MLPs.
  std::set<WeightPart> parts{};
};

/// The factors of a model's projections. The model itself needs to know nothing of them: its
/// weights are W at any time, and dA = s B^T dW and dB = s dW A^T with s = alpha / r.
class LoraFactors : public Trainable {
 public:
  /// Takes the weights that `model` has as W0. B is zero; A is drawn from `seed` as PEFT draws it,
  /// uniform within 1 / sqrt(in). Throws UsageError for a part that the model lacks, and for parts
  /// that hold only some rows of a matrix.
  LoraFactors(const CausalLM& model, const LoraOptions& options, std::uint64_t seed);

  /// A [r, in] and B [out, r] of every matrix, named as PEFT names them.
  std::vector<std::pair<std::string, at::Tensor>> tensors() const override;
  void take_gradients() override;
  void update_model() override;

  /// Writes the factors into `folder` as a PEFT adapter of the checkpoint `base`. The base with
  /// this adapter has the weights that the model has now, if it is stored in fp32.
  void write(const std::filesystem::path& folder, const std::filesystem::path& base,
             const std::map<std::string, std::string>& metadata) const;

 private:
  struct Adapted {
    std::string module;  ///< name of the projection in the model
    at::Tensor weight;   ///< W, the model's own
    at::Tensor before;   ///< W0
    at::Tensor a, b;
  };

  LoraOptions options_;
  double scale_;
  std::vector<Adapted> adapted_;
};

}  // namespace niah::models
