#include "models/decode/prefix_reader.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <string>

#include "harness/base/error.h"
#include "models/device.h"

namespace niah::models {
namespace {

bool same(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && (a.const_data_ptr() == b.const_data_ptr() || at::equal(a, b));
}

/// Number of leading layers with equal parameters in all models: 0 if the embeddings differ. Never
/// includes the last layer.
std::int64_t count_shared(const std::vector<std::shared_ptr<CausalLM>>& models) {
  const std::int64_t layers = models.front()->num_layers();
  if (models.size() == 1) return layers - 1;
  std::int64_t shared = layers - 1;
  const auto reference = models.front()->named_parameters();
  const auto parts = parts_by_tensor(models.front()->info());
  for (std::size_t i = 1; i < models.size(); ++i) {
    for (const auto& item : models[i]->named_parameters()) {
      const auto found = parts.find(item.key());
      if (found == parts.end()) continue;
      const PlacedPart& part = found->second.front();
      const bool is_embedding = part.rows.part == Part::kEmbedding;
      if (!part.layer && !is_embedding) continue;  // the head comes after every layer
      const std::int64_t layer = part.layer.value_or(0);
      const bool is_same =  // the name may be missing: one model can have two tensor layouts
          reference.contains(item.key()) && same(item.value(), reference[item.key()]);
      if (layer < shared && !is_same) shared = layer;
    }
  }
  return shared;
}

}  // namespace

PrefixReader::PrefixReader(std::vector<std::shared_ptr<CausalLM>> variants, std::int64_t tokens)
    : models_(std::move(variants)),
      device_(device_of(*models_.front())),
      shared_(count_shared(models_)),
      prefix_state_(models_.front()->num_layers()) {
  prefix_state_.reserve(tokens);
  for (std::size_t i = 0; i < models_.size(); ++i) {
    check(layer_pattern(models_[i]->info()) == layer_pattern(models_.front()->info()),
          "variants of one model have the same layers");
    tops_.emplace_back(models_.front()->num_layers());
    tops_.back().reserve(tokens);
  }
}

at::Tensor PrefixReader::run_shared(const at::Tensor& ids, const Pass& pass) {
  const CausalLM& model = *models_.front();
  at::Tensor hidden = shared_ > 0 ? model.embed(ids) : at::Tensor();
  for (std::int64_t i = 0; i < shared_; ++i)
    hidden = model.layer(i, hidden, &prefix_state_.layer(i), pass, pass.tokens);
  prefix_state_.advance(pass.tokens);
  return hidden;
}

at::Tensor PrefixReader::run_top(std::size_t variant, at::Tensor hidden, const Pass& pass,
                                 std::int64_t rows) {
  const CausalLM& model = *models_[variant];
  State& state = tops_[variant];
  const std::int64_t last = model.num_layers() - 1;
  for (std::int64_t i = shared_; i <= last; ++i)
    hidden = model.layer(i, hidden, &state.layer(i), pass, i == last ? rows : pass.tokens);
  state.advance(pass.tokens);
  return hidden;
}

void PrefixReader::read(const std::vector<std::int64_t>& ids) {
  const c10::InferenceMode no_gradients;
  const at::Tensor tokens = as_sequence(ids);
  const Pass pass = models_.front()->begin({position()}, tokens.size(1));
  const at::Tensor hidden = run_shared(tokens, pass);
  for (std::size_t i = 0; i < models_.size(); ++i)
    run_top(i, shared_ > 0 ? hidden : models_[i]->embed(tokens), pass, 0);
}

at::Tensor PrefixReader::read_one(std::size_t variant, const std::vector<std::int64_t>& ids,
                                  std::int64_t rows) {
  const c10::InferenceMode no_gradients;
  check(tops_[variant].position() == position(), "this variant has not read the whole text");
  const at::Tensor tokens = as_sequence(ids);
  const Pass pass = models_.front()->begin({position()}, tokens.size(1));
  const at::Tensor trunk = run_shared(tokens, pass);
  const at::Tensor hidden =
      run_top(variant, shared_ > 0 ? trunk : models_[variant]->embed(tokens), pass, rows);
  return models_[variant]->head(hidden).squeeze(0);
}

void PrefixReader::wait() const { synchronize(device_); }

void PrefixReader::skip(std::int64_t tokens) {
  prefix_state_.skip(tokens);
  for (State& top : tops_) top.skip(tokens);
}

PrefixReader::Snapshot PrefixReader::mark() const {
  Snapshot snapshot{prefix_state_.mark(), {}};
  for (const State& top : tops_) snapshot.tops.push_back(top.mark());
  return snapshot;
}

std::int64_t PrefixReader::Snapshot::bytes() const {
  std::int64_t total = trunk.bytes();
  for (const Mark& top : tops) total += top.bytes();
  return total;
}

void PrefixReader::rewind(const Snapshot& snapshot) {
  prefix_state_.rewind(snapshot.trunk);
  for (std::size_t i = 0; i < tops_.size(); ++i) tops_[i].rewind(snapshot.tops[i]);
}

State PrefixReader::fork(std::size_t variant, std::int64_t tokens) const {
  return State::fork(prefix_state_, shared_, tops_[variant], tokens);
}

std::int64_t PrefixReader::fork_bytes(std::size_t variant) const {
  return prefix_state_.bytes() + tops_[variant].bytes();
}

std::int64_t PrefixReader::bytes() const {
  std::int64_t total = prefix_state_.bytes();
  for (const State& top : tops_) total += top.bytes();
  return total;
}

}  // namespace niah::models
