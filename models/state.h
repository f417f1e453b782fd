// What a model remembers of the tokens it has read.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace niah::models {

/// Keys and values [B, H_kv, n, D] that a pass may look at.
struct KeyValue {
  at::Tensor key, value;
};

/// Keys and values of one softmax layer, both [B, H_kv, capacity, D], each with a D of its own, of
/// which the first length() positions are in use. Rows are written once and never changed, so going
/// back is truncation.
class KvCache {
 public:
  /// Makes room for `tokens` positions in all, so that appending up to there moves nothing.
  void reserve(std::int64_t tokens) { wanted_ = tokens; }
  /// Appends keys and values [B, H_kv, T, D].
  void append(const at::Tensor& key, const at::Tensor& value);
  /// Appends `tokens` zero keys and values; something must have been appended before.
  void append_zeros(std::int64_t tokens);
  /// Forgets everything from position `length` on.
  void truncate(std::int64_t length);

  std::int64_t length() const { return length_; }
  /// [B, H_kv, length, D], views of the cache.
  at::Tensor key() const { return key_.narrow(2, 0, length_); }
  at::Tensor value() const { return value_.narrow(2, 0, length_); }
  /// Bytes held.
  std::int64_t bytes() const;
  /// The same content in memory of its own, with room for `tokens` positions.
  KvCache copy(std::int64_t tokens) const;

 private:
  void grow(const KeyValue& like, std::int64_t needed);

  at::Tensor key_, value_;
  std::int64_t length_ = 0;
  std::int64_t wanted_ = 0;
};

/// The parts of a layer's memory that forget. They are never changed in place: a layer replaces
/// them, so holding them is a snapshot. Undefined before the first token.
struct RecurrentState {
  at::Tensor recurrent;     ///< [B, H, D_k, D_v] fp32: a linear layer's matrix
  at::Tensor tail;          ///< [B, taps-1, channels]: what a short convolution still needs
  at::Tensor window_key;    ///< [B, H_kv, <= window-1, D]: a sliding window's keys
  at::Tensor window_value;  ///< and values
};

/// What a sliding window holds followed by the pass' own `fresh` keys and values; the last
/// `window`-1 of them stay for the next pass.
KeyValue extend_window(RecurrentState& layer, std::int64_t window, const KeyValue& fresh);

/// What one layer remembers: a softmax layer its keys and values, others what they have not
/// forgotten.
struct LayerState {
  KvCache cache;
  RecurrentState forgetting;
};

/// One layer's memories of the sequences that go through it together, one for each of the batch.
/// None where sequences start with the pass and nothing is kept (training).
class LayerStates {
 public:
  /// One sequence; null: nothing is kept.
  LayerStates(LayerState* only) {
    if (only != nullptr) all_.push_back(only);
  }
  explicit LayerStates(std::vector<LayerState*> all) : all_(std::move(all)) {}

  bool empty() const { return all_.empty(); }
  std::int64_t size() const { return static_cast<std::int64_t>(all_.size()); }
  LayerState& operator[](std::int64_t i) const { return *all_[static_cast<std::size_t>(i)]; }

  /// One part of what forgets, of all sequences along the first dimension; undefined where nothing
  /// is kept or read yet.
  at::Tensor joined(at::Tensor RecurrentState::*part) const;
  /// Replaces it.
  void store(at::Tensor RecurrentState::*part, const at::Tensor& joined) const;

 private:
  std::vector<LayerState*> all_;
};

/// Takes a pass' keys and values [B, H_kv, T, D] in, and says what each sequence may look at:
/// everything so far, or where `window` > 0 at least the last `window` keys of each position. Where
/// nothing is kept that is what is fresh, of all sequences in one.
std::vector<KeyValue> remember(const LayerStates& states, const KeyValue& fresh,
                               std::int64_t window = 0);

/// A point to come back to. Cheap: forgetting parts are shared, not copied; caches need only the
/// position. Valid until the state is rewound to before it.
struct Mark {
  std::int64_t position = 0;
  std::vector<RecurrentState> layers;
  /// Bytes that this mark keeps alive beside the state's own, at most.
  std::int64_t bytes() const;
};

/// The state of a model, or of a range of its layers, after `position()` tokens.
class State {
 public:
  explicit State(std::int64_t layers) : layers_(static_cast<std::size_t>(layers)) {}

  std::int64_t position() const { return position_; }
  void advance(std::int64_t tokens) { position_ += tokens; }
  LayerState& layer(std::int64_t index) { return layers_[static_cast<std::size_t>(index)]; }
  /// As if `tokens` more had been read, without reading them: caches grow by zeros, what forgets
  /// stays. For timing what comes after so long a text; at least one token must have been read.
  void skip(std::int64_t tokens);
  /// Makes room in all caches for `tokens` positions.
  void reserve(std::int64_t tokens);

  /// Remembers this position. rewind(mark) restores exactly this state; a mark taken later than the
  /// position rewound to is void.
  Mark mark() const;
  void rewind(const Mark& mark);

  /// Bytes held by caches and by what forgets.
  std::int64_t bytes() const;
  /// Another state that goes on from here on its own: `lower`'s layers below `split`, `upper`'s
  /// from there on, with room for `tokens` positions. Both have read the same text.
  static State fork(const State& lower, std::int64_t split, const State& upper,
                    std::int64_t tokens);

 private:
  std::vector<LayerState> layers_;
  std::int64_t position_ = 0;
};

}  // namespace niah::models
