// Models of many sizes with random weights, and what a machine can do at best: what benchmarks and
// the checks on a GPU measure with.
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

/// "HypeNet-2B".
std::string name_of(Shape shape);

/// NIAH_BENCH_DEVICE, as runtime.device; the CPU where it is not set.
at::Device device();

/// NIAH_GPU_REDUCED: everything in small, to try the benchmarks themselves.
bool is_reduced();

/// The zoo's base, or random weights drawn where the benchmark computes.
std::shared_ptr<models::CausalLM> model_of(Shape shape, at::ScalarType dtype);

/// Sequences that decode together after a context, each with a state of its own.
class DecodeBatch {
 public:
  /// `reader` has read the context of `tokens`, of its only variant.
  DecodeBatch(std::shared_ptr<models::CausalLM> model, const models::PrefixReader& reader,
              std::int64_t tokens, std::int64_t sequences);
  /// One token of each, and the likeliest next ones; the states are as before.
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

/// Has `reader` read a text of `tokens`, at least 512: of most of it as if it had.
void read_context(models::PrefixReader& reader, std::int64_t tokens);

/// FLOPs of products with weights and of softmax attention in a prefill that wants no logits.
double product_flops(const models::CausalLM& model, at::ScalarType dtype, std::int64_t tokens);

/// The best rate of products of the kind that layers are made of, FLOP/s.
double product_rate(at::ScalarType dtype);

/// The rate of a large copy within the device's memory, bytes read and written in a second.
double copy_rate();

/// Bytes that libtorch holds on the device at most since the last reset; 0 on the CPU, whose
/// allocator does not count.
std::int64_t peak_memory();
void reset_peak_memory();

}  // namespace niah::bench
