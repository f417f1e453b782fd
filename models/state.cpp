#include "models/state.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "harness/base/error.h"

namespace niah::models {
namespace {

std::int64_t forgetting_bytes(const RecurrentState& layer) {
  std::int64_t total = 0;
  for (const at::Tensor* part :
       {&layer.recurrent, &layer.tail, &layer.window_key, &layer.window_value})
    if (part->defined()) total += static_cast<std::int64_t>(part->nbytes());
  return total;
}

/// Whether these tensors, [1, ...] each, are adjacent in memory, as store() leaves them.
bool are_neighbours(const std::vector<at::Tensor>& parts) {
  const at::Tensor& first = parts.front();
  if (!first.defined() || !first.is_contiguous()) return false;
  for (std::size_t i = 1; i < parts.size(); ++i)
    if (!parts[i].defined() || !parts[i].is_contiguous() || parts[i].sizes() != first.sizes() ||
        !parts[i].is_alias_of(first) ||
        parts[i].storage_offset() !=
            first.storage_offset() + static_cast<std::int64_t>(i) * first.numel())
      return false;
  return true;
}

/// Adjacent tensors as one, without a copy.
at::Tensor whole_of(const std::vector<at::Tensor>& parts) {
  const at::Tensor& first = parts.front();
  std::vector<std::int64_t> sizes = first.sizes().vec(), strides = first.strides().vec();
  sizes[0] = static_cast<std::int64_t>(parts.size());
  strides[0] = first.numel();
  return first.as_strided(sizes, strides, first.storage_offset());
}

}  // namespace

void KvCache::append(const at::Tensor& key, const at::Tensor& value) {
  const std::int64_t tokens = key.size(2);
  const std::int64_t needed = length_ + tokens;
  if (!key_.defined() || needed > key_.size(2)) grow({key, value}, needed);
  key_.narrow(2, length_, tokens).copy_(key);
  value_.narrow(2, length_, tokens).copy_(value);
  length_ = needed;
}

void KvCache::append_zeros(std::int64_t tokens) {
  const c10::InferenceMode as_when_it_was_filled;
  const std::int64_t needed = length_ + tokens;
  if (needed > key_.size(2)) grow({key_, value_}, needed);
  key_.narrow(2, length_, tokens).zero_();
  value_.narrow(2, length_, tokens).zero_();
  length_ = needed;
}

void KvCache::grow(const KeyValue& like, std::int64_t needed) {
  // A reserved length is allocated once; beyond it, doubling keeps the cost of growth linear.
  const std::int64_t old = key_.defined() ? key_.size(2) : 0;
  const std::int64_t capacity = std::max({needed, wanted_, needed > wanted_ ? 2 * old : 0});
  const auto room = [&](const at::Tensor& x) {
    return at::empty({x.size(0), x.size(1), capacity, x.size(3)}, x.options());
  };
  at::Tensor key = room(like.key), value = room(like.value);
  if (length_ > 0) {
    key.narrow(2, 0, length_).copy_(key_.narrow(2, 0, length_));
    value.narrow(2, 0, length_).copy_(value_.narrow(2, 0, length_));
  }
  key_ = std::move(key);
  value_ = std::move(value);
}

void KvCache::truncate(std::int64_t length) {
  check(length >= 0 && length <= length_, "a cache can only be rewound to where it has been");
  length_ = length;
}

std::int64_t KvCache::bytes() const {
  return key_.defined() ? static_cast<std::int64_t>(key_.nbytes() + value_.nbytes()) : 0;
}

KeyValue extend_window(RecurrentState& layer, std::int64_t window, const KeyValue& fresh) {
  const auto extend = [&](at::Tensor& held, const at::Tensor& own) {
    at::Tensor all = held.defined() ? at::cat({held, own}, 2) : own;
    const std::int64_t kept = std::min(window - 1, all.size(2));
    // Copied, because a view would keep all keys of a long pass alive.
    held = all.narrow(2, all.size(2) - kept, kept).clone(at::MemoryFormat::Contiguous);
    return all;
  };
  return {extend(layer.window_key, fresh.key), extend(layer.window_value, fresh.value)};
}

KvCache KvCache::copy(std::int64_t tokens) const {
  KvCache copy;
  copy.reserve(std::max(tokens, length_));
  if (length_ > 0) copy.append(key(), value());
  return copy;
}

at::Tensor LayerStates::joined(at::Tensor RecurrentState::*part) const {
  if (all_.empty()) return {};
  if (all_.size() == 1) return all_.front()->forgetting.*part;
  std::vector<at::Tensor> parts;
  for (const LayerState* state : all_) parts.push_back(state->forgetting.*part);
  return are_neighbours(parts) ? whole_of(parts) : at::cat(parts);
}

void LayerStates::store(at::Tensor RecurrentState::*part, const at::Tensor& joined) const {
  if (all_.size() == 1) all_.front()->forgetting.*part = joined;
  if (all_.size() <= 1) return;
  std::int64_t i = 0;
  for (LayerState* state : all_) state->forgetting.*part = joined.narrow(0, i++, 1);
}

std::vector<KeyValue> remember(const LayerStates& states, const KeyValue& fresh,
                               std::int64_t window) {
  if (states.empty()) return {fresh};
  std::vector<KeyValue> seen;
  for (std::int64_t i = 0; i < states.size(); ++i) {
    const KeyValue own = states.size() == 1
                             ? fresh
                             : KeyValue{fresh.key.narrow(0, i, 1), fresh.value.narrow(0, i, 1)};
    LayerState& state = states[i];
    if (window > 0) {
      seen.push_back(extend_window(state.forgetting, window, own));
      continue;
    }
    state.cache.append(own.key, own.value);
    seen.push_back({state.cache.key(), state.cache.value()});
  }
  return seen;
}

State State::fork(const State& lower, std::int64_t split, const State& upper, std::int64_t tokens) {
  check(lower.position_ == upper.position_ && lower.layers_.size() == upper.layers_.size(),
        "both parts of a state have read the same text");
  State state(static_cast<std::int64_t>(lower.layers_.size()));
  state.position_ = lower.position_;
  for (std::size_t i = 0; i < state.layers_.size(); ++i) {
    const State& source = static_cast<std::int64_t>(i) < split ? lower : upper;
    state.layers_[i].cache = source.layers_[i].cache.copy(tokens);
    state.layers_[i].forgetting = source.layers_[i].forgetting;
  }
  return state;
}

void State::reserve(std::int64_t tokens) {
  for (LayerState& layer : layers_) layer.cache.reserve(tokens);
}

void State::skip(std::int64_t tokens) {
  for (LayerState& layer : layers_)
    if (layer.cache.length() > 0) layer.cache.append_zeros(tokens);
  position_ += tokens;
}

Mark State::mark() const {
  Mark mark{position_, {}};
  mark.layers.reserve(layers_.size());
  for (const LayerState& layer : layers_) mark.layers.push_back(layer.forgetting);
  return mark;
}

void State::rewind(const Mark& mark) {
  check(mark.position <= position_ && mark.layers.size() == layers_.size(),
        "a state can only be rewound to a mark of its own past");
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    LayerState& layer = layers_[i];
    layer.forgetting = mark.layers[i];
    if (layer.cache.length() > 0) layer.cache.truncate(mark.position);
  }
  position_ = mark.position;
}

std::int64_t Mark::bytes() const {
  std::int64_t total = 0;
  for (const RecurrentState& layer : layers) total += forgetting_bytes(layer);
  return total;
}

std::int64_t State::bytes() const {
  std::int64_t total = 0;
  for (const LayerState& layer : layers_)
    total += layer.cache.bytes() + forgetting_bytes(layer.forgetting);
  return total;
}

}  // namespace niah::models
