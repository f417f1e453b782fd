#include "models/training/gradient_locality.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"

namespace niah::models {
namespace {

/// One layer's attention logits [B, H, T, T], and the norms of its queries and keys [B, H, T].
struct Pairs {
  at::Tensor logits, query_norm, key_norm;
};

/// Softmax attention that materialises its logits and appends them to `kept`.
at::Tensor attend_and_keep(const AttentionInputs& inputs, std::vector<Pairs>& kept) {
  check(inputs.query.size(2) == inputs.key.size(2), "gradient locality is of whole sequences");
  const std::int64_t share = inputs.query.size(1) / inputs.key.size(1);
  const at::Tensor key = inputs.key.repeat_interleave(share, 1);
  const at::Tensor value = inputs.value.repeat_interleave(share, 1);
  const at::Tensor logits = at::matmul(inputs.query, key.transpose(2, 3)) * inputs.scale;
  // Nothing that is trained may come before them.
  if (!logits.requires_grad()) logits.set_requires_grad(true);
  kept.push_back({logits, inputs.query.detach().norm(2, -1), key.detach().norm(2, -1)});
  const std::int64_t tokens = logits.size(2);
  at::Tensor seen = at::ones({tokens, tokens}, at::kBool).tril();
  if (inputs.window > 0) seen = seen.triu(1 - inputs.window);
  const at::Tensor weights =
      logits.masked_fill(seen.logical_not(), -std::numeric_limits<float>::infinity()).softmax(-1);
  return at::matmul(weights, value);
}

void add_to(std::vector<double>& sums, const at::Tensor& by_distance) {
  const at::Tensor values = by_distance.to(at::kDouble).contiguous();
  const auto count = static_cast<std::size_t>(values.numel());
  if (sums.size() < count) sums.resize(count, 0);
  for (std::size_t i = 0; i < count; ++i) sums[i] += values.const_data_ptr<double>()[i];
}

/// [.., T, T] summed along its diagonals at or below the main one: entry tau is the sum over i of
/// [.., i, i - tau].
at::Tensor by_distance(const at::Tensor& pairs) {
  const std::int64_t tokens = pairs.size(-1);
  const at::Tensor summed = pairs.reshape({-1, tokens, tokens}).sum(0);  // [T, T]
  const at::Tensor places = at::arange(tokens);
  const at::Tensor distance = (places.unsqueeze(1) - places.unsqueeze(0));  // i - j
  const at::Tensor in_order = distance.ge(0);
  return at::zeros({tokens}, summed.options())
      .index_add(0, distance.masked_select(in_order), summed.masked_select(in_order));
}

}  // namespace

void LocalityProbe::add(CausalLM& model, const Batch& batch) {
  const torch::AutoGradMode with_gradients(true);
  std::vector<Pairs> kept;
  const std::int64_t tokens = batch.ids.size(1) - 1;
  const at::Tensor logits = model.forward_train(
      batch.ids.narrow(1, 0, tokens),
      [&](const AttentionInputs& inputs) { return attend_and_keep(inputs, kept); });
  const at::Tensor loss = weighted_loss(logits, batch).first;
  std::vector<at::Tensor> asked;
  for (const Pairs& pairs : kept) asked.push_back(pairs.logits);
  const std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, asked);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const at::Tensor size = gradients[i].abs();  // [B, H, T, T]
    const at::Tensor counts = size.sum(-1, true).gt(0).to(size.scalar_type()).expand_as(size);
    add_to(pairs_, by_distance(counts));
    add_to(query_, by_distance(size * kept[i].key_norm.unsqueeze(2)));
    add_to(key_, by_distance(size * kept[i].query_norm.unsqueeze(3)));
  }
  ++batches_;
}

GradientLocality LocalityProbe::result() const {
  GradientLocality locality;
  for (std::size_t tau = 0; tau < pairs_.size(); ++tau) {
    const double count = std::max(pairs_[tau], 1.0);
    locality.pairs.push_back(static_cast<std::int64_t>(pairs_[tau]));
    locality.query.push_back(query_[tau] / count);
    locality.key.push_back(key_[tau] / count);
  }
  return locality;
}

std::string LocalityProbe::state() const {
  return nlohmann::json{{"batches", batches_}, {"pairs", pairs_}, {"query", query_}, {"key", key_}}
      .dump();
}

void LocalityProbe::restore(const std::string& state) {
  try {
    const auto json = nlohmann::json::parse(state);
    LocalityProbe read;
    json.at("batches").get_to(read.batches_);
    json.at("pairs").get_to(read.pairs_);
    json.at("query").get_to(read.query_);
    json.at("key").get_to(read.key_);
    if (read.batches_ < 0 || read.query_.size() != read.pairs_.size() ||
        read.key_.size() != read.pairs_.size())
      throw DataError("resuming: the sums over the gradient's distances do not fit each other");
    *this = read;
  } catch (const nlohmann::json::exception& error) {
    throw DataError(
        fmt::format("resuming: the sums over the gradient's distances: {}", error.what()));
  }
}

std::optional<double> fit_decay(const std::vector<double>& g,
                                const std::vector<std::int64_t>& pairs) {
  check(g.size() == pairs.size(), "as many counts as values");
  if (pairs.empty()) return std::nullopt;
  const auto enough = *std::max_element(pairs.begin(), pairs.end()) / 10;
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t tau = 0; tau < g.size(); ++tau) {
    if (pairs[tau] <= enough || g[tau] <= 0) continue;
    const auto at = static_cast<double>(tau);
    const double log_g = std::log(g[tau]);
    n += 1;
    x += at;
    y += log_g;
    xx += at * at;
    xy += at * log_g;
  }
  const double spread = n * xx - x * x;
  if (n < 3 || spread <= 0) return std::nullopt;
  const double slope = (n * xy - x * y) / spread;
  return slope < 0 ? std::optional(-1 / slope) : std::nullopt;
}

}  // namespace niah::models
