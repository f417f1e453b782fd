#include "models/ops/experts.h"

#include <ATen/ATen.h>
#include <torch/version.h>

#include <algorithm>
#include <limits>

#include "harness/base/error.h"
#include "models/ops/gate.h"

namespace niah::models {
namespace {

/// sigmoid(x), by the CPU kernel if it applies, so that results do not depend on an element's
/// position.
at::Tensor logistic(const at::Tensor& x) { return sigmoid_product(at::ones_like(x), x); }

/// Weights divided by their sum + epsilon; the order of summation does not depend on other tokens.
at::Tensor normalised(const at::Tensor& weights, double epsilon) {
  at::Tensor sum = weights.select(-1, 0);
  for (std::int64_t i = 1; i < weights.size(-1); ++i) sum = sum + weights.select(-1, i);
  return weights / (sum + epsilon).unsqueeze(-1);
}

/// `scores` [B, T, E] with -inf for experts outside the best groups.
at::Tensor keep_groups(const at::Tensor& scores, const SigmoidRouting& how) {
  const at::Tensor grouped = scores.unflatten(-1, {how.groups, -1});  // [B, T, G, E/G]
  const auto best = grouped.topk(std::min<std::int64_t>(2, grouped.size(-1)), -1);
  const at::Tensor value = std::get<0>(best).sum(-1);
  const at::Tensor kept = std::get<1>(value.topk(how.chosen_groups, -1));
  const at::Tensor out = at::ones_like(value, at::kBool).scatter(-1, kept, false);
  return grouped.masked_fill(out.unsqueeze(-1), -std::numeric_limits<float>::infinity())
      .flatten(-2);
}

}  // namespace

Routing route_by_softmax(const at::Tensor& logits, std::int64_t chosen, bool is_normalised,
                         at::ScalarType weights) {
  const auto [best, experts] = at::softmax(logits.to(at::kFloat), -1).topk(chosen, -1);
  return {experts, (is_normalised ? normalised(best, 0) : best).to(weights)};
}

Routing route_by_chosen_softmax(const at::Tensor& logits, std::int64_t chosen) {
  const auto [best, experts] = logits.topk(chosen, -1);
  return {experts, at::softmax(best.to(at::kFloat), -1).to(logits.scalar_type())};
}

Routing route_by_sigmoid(const at::Tensor& logits, const at::Tensor& bias,
                         const SigmoidRouting& how) {
  const at::Tensor scores = logistic(logits);
  at::Tensor choice = bias.defined() ? scores + bias : scores;
  if (how.groups > 1) choice = keep_groups(choice, how);
  const at::Tensor experts = std::get<1>(choice.topk(how.chosen, -1));
  at::Tensor weights = scores.gather(-1, experts);
  if (how.normalised) weights = normalised(weights, how.epsilon);
  return {experts, weights * how.scale};
}

bool has_grouped_products([[maybe_unused]] const at::Tensor& x,
                          [[maybe_unused]] const at::Tensor& weights) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 10
  constexpr std::int64_t kAligned = 8;  // in bf16 these are the 16 bytes that the kernel requires
  return x.is_cuda() && x.scalar_type() == at::kBFloat16 && weights.is_contiguous() &&
         weights.size(1) % kAligned == 0 && weights.size(2) % kAligned == 0;
#else
  return false;
#endif
}

at::Tensor grouped_product([[maybe_unused]] const at::Tensor& tokens,
                           [[maybe_unused]] const at::Tensor& weights,
                           [[maybe_unused]] const at::Tensor& ends) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 10
  return at::_grouped_mm(tokens, weights.transpose(1, 2), ends);
#else
  check(false, "grouped products are asked for only where libtorch has them");
  return {};
#endif
}

at::Tensor mix_grouped_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                               const RunExperts& run) {
  const std::int64_t each = routing.experts.size(-1);
  const at::Tensor tokens = x.reshape({-1, x.size(-1)});               // [N, d]
  const at::Tensor chosen = routing.experts.reshape({-1});             // [N k]
  const at::Tensor order = chosen.argsort(/*stable=*/true, 0, false);  // by expert, then token
  const at::Tensor ends =
      at::searchsorted(chosen.index_select(0, order), at::arange(experts, chosen.options()),
                       /*out_int32=*/true, /*right=*/true);
  const at::Tensor sorted = run(tokens.index_select(0, order.div(each, "floor")), ends);
  const at::Tensor outputs =  // in the order of the choice, [N, k, d']
      at::empty_like(sorted).index_copy_(0, order, sorted).unflatten(0, {-1, each});
  const at::Tensor weighted =
      (outputs * routing.weights.reshape({-1, each, 1})).to(x.scalar_type());
  return weighted.sum(1, /*keepdim=*/false, at::kFloat)
      .to(x.scalar_type())
      .view({x.size(0), x.size(1), -1});
}

at::Tensor mix_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                       const RunExpert& run) {
  const at::Tensor tokens = x.reshape({-1, x.size(-1)});                 // [N, d]
  const at::Tensor chosen = routing.experts.reshape({-1});               // [N k]
  const at::Tensor order = chosen.argsort(/*stable=*/true, 0, false);    // by expert, then token
  const at::Tensor rows = order.div(routing.experts.size(-1), "floor");  // index of the token
  const at::Tensor weights = routing.weights.reshape({-1, 1}).index_select(0, order);
  const at::Tensor counts = at::bincount(chosen, {}, experts).cpu();
  at::Tensor sum;
  std::int64_t begin = 0;
  for (std::int64_t expert = 0; expert < experts; ++expert) {
    const std::int64_t count = counts.const_data_ptr<std::int64_t>()[expert];
    if (count == 0) continue;
    const at::Tensor own = rows.narrow(0, begin, count);
    const at::Tensor output = run(expert, tokens.index_select(0, own).unsqueeze(1)).squeeze(1);
    const at::Tensor weighted = (output * weights.narrow(0, begin, count)).to(x.scalar_type());
    if (!sum.defined())
      sum = at::zeros({tokens.size(0), output.size(1)}, x.options().dtype(at::kFloat));
    sum.index_add_(0, own, weighted.to(at::kFloat));
    begin += count;
  }
  return sum.to(x.scalar_type()).view({x.size(0), x.size(1), -1});
}

}  // namespace niah::models
