// Models of many sizes with random weights, and measurements of the machine's peak rates, for the
// benchmarks and the GPU checks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "models/decode/prefix_reader.h"

namespace niah::bench {

enum Shape {
  kZoo,
  kHybrid512,
  kHybrid1024,
  kJet1024,
  kQwen512,
  kHypeNet2B,
  kQwen35,
  kQwenNext,
  kNemotron,
  kFalcon,
  kLfm2,
  kKimi,
  kQwen35_4B
};

/// The shape's name, such as "HypeNet-2B".
std::string name_of(Shape shape);

/// The device that NIAH_BENCH_DEVICE names, as in runtime.device; the CPU if it is not set.
at::Device device();

/// Whether NIAH_GPU_REDUCED is set: then models and sizes are small, to test the benchmarks
/// themselves.
bool is_reduced();

/// The zoo's base model, or a model of random weights drawn on device().
std::shared_ptr<models::CausalLM> model_of(Shape shape, at::ScalarType dtype);

/// Sequences decoded together after a shared context, each with its own state.
class DecodeBatch {
 public:
  /// `reader` has one variant, for which it has read the context of `tokens` tokens.
  DecodeBatch(std::shared_ptr<models::CausalLM> model, const models::PrefixReader& reader,
              std::int64_t tokens, std::int64_t sequences);
  /// Runs one token of each sequence and returns the likeliest next ones. Leaves the states
  /// unchanged.
  std::vector<std::int64_t> pass();
  /// Bytes of all states.
  std::int64_t bytes() const;

 private:
  std::shared_ptr<models::CausalLM> model_;
  std::vector<models::State> states_;
  std::vector<models::State*> pointers_;
  std::vector<models::Mark> starts_;
  at::Tensor ids_;
};

/// Puts `reader` in the state after a text of `tokens` tokens (at least 512): it reads only the
/// first 512 and skips the rest.
void read_context(models::PrefixReader& reader, std::int64_t tokens);

/// FLOPs of the products with weights and of softmax attention in a prefill without logits.
double product_flops(const models::CausalLM& model, at::ScalarType dtype, std::int64_t tokens);

/// The machine's best rate for matrix products like those of layers, in FLOP/s.
double product_rate(at::ScalarType dtype);

/// The rate of a large copy within the device's memory: bytes read plus bytes written, per second.
double copy_rate();

/// The most bytes that libtorch has held on the device since the last reset; 0 on the CPU, whose
/// allocator does not count them.
std::int64_t peak_memory();
void reset_peak_memory();

}  // namespace niah::bench
