// The ops of a program without libtorch: what a model needs when it is built has a shape, and
// nothing else is computed.
#include "models/ops/attention.h"
#include "models/ops/delta_rule.h"
#include "models/ops/experts.h"
#include "models/ops/gate.h"
#include "models/ops/lightning.h"
#include "models/ops/mamba2.h"
#include "models/ops/norm.h"
#include "models/ops/projection.h"
#include "models/ops/rotary.h"
#include "models/ops/short_convolution.h"
#include "models/shapes/tensor.h"

namespace niah::models {

using at::no_numbers;
using at::Tensor;

Tensor lightning_slopes(std::int64_t heads) { return Tensor({heads}); }
Tensor rotary_frequencies(double, std::int64_t head_dim) { return Tensor({head_dim / 2}); }
Tensor yarn_frequencies(double, std::int64_t head_dim, const YarnScaling&) {
  return Tensor({head_dim / 2});
}
Tensor llama3_frequencies(double, std::int64_t head_dim, const Llama3Scaling&) {
  return Tensor({head_dim / 2});
}

Tensor attend_cached(const Tensor&, const Tensor&, const Tensor&, double) { no_numbers(); }
Tensor attend_whole(const Tensor&, const Tensor&, const Tensor&, double) { no_numbers(); }
Tensor attend_window(const Tensor&, const Tensor&, const Tensor&, std::int64_t, double) {
  no_numbers();
}
DeltaRuleResult gated_delta_rule(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                 const Tensor&, const Tensor&) {
  no_numbers();
}
Routing route_by_softmax(const Tensor&, std::int64_t, bool, at::ScalarType) { no_numbers(); }
Routing route_by_chosen_softmax(const Tensor&, std::int64_t) { no_numbers(); }
Routing route_by_sigmoid(const Tensor&, const Tensor&, const SigmoidRouting&) { no_numbers(); }
bool has_grouped_products(const Tensor&, const Tensor&) { no_numbers(); }
Tensor grouped_product(const Tensor&, const Tensor&, const Tensor&) { no_numbers(); }
Tensor mix_grouped_experts(const Tensor&, const Routing&, std::int64_t, const RunExperts&) {
  no_numbers();
}
Tensor mix_experts(const Tensor&, const Routing&, std::int64_t, const RunExpert&) { no_numbers(); }
Tensor swish(const Tensor&) { no_numbers(); }
Tensor silu_product(const Tensor&, const Tensor&) { no_numbers(); }
Tensor silu_gated(const Tensor&, const Tensor&) { no_numbers(); }
Tensor sigmoid_product(const Tensor&, const Tensor&) { no_numbers(); }
LightningResult lightning_attention(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                    double, const Tensor&) {
  no_numbers();
}
Mamba2Result mamba2(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                    const Tensor&) {
  no_numbers();
}
Tensor rms_norm(const Tensor&, const Tensor&, double, NormRounding) { no_numbers(); }
Tensor project(const Tensor&, const Tensor&, const Tensor&) { no_numbers(); }
std::pair<Tensor, Tensor> rotary_tables(const Tensor&, const std::vector<std::int64_t>&,
                                        std::int64_t) {
  no_numbers();
}
Tensor positions_on(at::Device, const std::vector<std::int64_t>&, std::int64_t) { no_numbers(); }
Tensor apply_rotary(const Tensor&, const Tensor&, const Tensor&) { no_numbers(); }
ShortConvolutionResult short_convolution(const Tensor&, const Tensor&, const Tensor&,
                                         const Tensor&) {
  no_numbers();
}

}  // namespace niah::models
