// The state that a model keeps between passes: KV caches, recurrent states, convolution tails.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace niah::models {

/// Keys and values [B, H_kv, n, D]; the two may differ in D.
struct KeyValue {
  at::Tensor key, value;
};

/// Keys and values of one softmax layer, both [B, H_kv, capacity, D], where D may differ between
/// the two; the first length() positions are in use. A position is written once and never changed,
/// so rewinding is truncation.
class KvCache {
 public:
  /// Makes the next allocation large enough for `tokens` positions in total, so that appending up
  /// to there never reallocates.
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
  /// Bytes allocated.
  std::int64_t bytes() const;
  /// A deep copy with room for `tokens` positions.
  KvCache copy(std::int64_t tokens) const;

 private:
  void grow(const KeyValue& like, std::int64_t needed);

  at::Tensor key_, value_;
  std::int64_t length_ = 0;
  std::int64_t wanted_ = 0;
};

/// The part of a layer's state that has a fixed size and so forgets old tokens. Its tensors are
/// replaced, never changed in place, so holding them is a snapshot. Undefined before the first
/// token.
struct RecurrentState {
  at::Tensor recurrent;     ///< [B, H, D_k, D_v] fp32: matrix state of a linear-attention layer
  at::Tensor tail;          ///< [B, taps-1, channels]: last inputs of a short convolution
  at::Tensor window_key;    ///< [B, H_kv, <= window-1, D]: keys in a sliding window
  at::Tensor window_value;  ///< their values
};

/// The keys and values in a sliding window followed by `fresh`, those of the current pass; keeps
/// the last `window`-1 of them in `layer` for the next pass.
KeyValue extend_window(RecurrentState& layer, std::int64_t window, const KeyValue& fresh);

/// The state of one layer: `cache` for softmax attention to all positions, `forgetting` for all
/// other mixers.
struct LayerState {
  KvCache cache;
  RecurrentState forgetting;
};

/// The states of one layer for the sequences of a batch, one each. Empty if every sequence starts
/// with this pass and no state is kept (training).
class LayerStates {
 public:
  /// For a single sequence; null: no state is kept.
  LayerStates(LayerState* only) {
    if (only != nullptr) all_.push_back(only);
  }
  explicit LayerStates(std::vector<LayerState*> all) : all_(std::move(all)) {}

  bool empty() const { return all_.empty(); }
  std::int64_t size() const { return static_cast<std::int64_t>(all_.size()); }
  LayerState& operator[](std::int64_t i) const { return *all_[static_cast<std::size_t>(i)]; }

  /// One tensor of RecurrentState for all sequences, [B, ...]; undefined if no state is kept or
  /// nothing has been read yet.
  at::Tensor joined(at::Tensor RecurrentState::*part) const;
  /// Replaces that tensor in every sequence by its slice of `joined` [B, ...].
  void store(at::Tensor RecurrentState::*part, const at::Tensor& joined) const;

 private:
  std::vector<LayerState*> all_;
};

/// Appends the keys and values [B, H_kv, T, D] of a pass to the states. Returns, for each sequence,
/// what its queries may attend to: all positions so far or, if `window` > 0, at least the last
/// `window` positions of every query. If no state is kept, returns `fresh` as a single entry.
std::vector<KeyValue> remember(const LayerStates& states, const KeyValue& fresh,
                               std::int64_t window = 0);

/// A point to rewind to. Cheap: recurrent states are shared, not copied, and caches need only the
/// position. Valid until the state is rewound to an earlier position.
struct Mark {
  std::int64_t position = 0;
  std::vector<RecurrentState> layers;
  /// Upper bound of the bytes that this mark keeps alive in addition to the state's own.
  std::int64_t bytes() const;
};

/// The state of a model, or of a range of its layers, after `position()` tokens.
class State {
 public:
  explicit State(std::int64_t layers) : layers_(static_cast<std::size_t>(layers)) {}

  std::int64_t position() const { return position_; }
  void advance(std::int64_t tokens) { position_ += tokens; }
  LayerState& layer(std::int64_t index) { return layers_[static_cast<std::size_t>(index)]; }
  /// Pretends that `tokens` more were read: caches grow by zeros, recurrent states stay as they
  /// are. For timing the passes after a text of that length; at least one token must have been
  /// read.
  void skip(std::int64_t tokens);
  /// Makes room in all caches for `tokens` positions.
  void reserve(std::int64_t tokens);

  /// Marks this position; rewind(mark) restores exactly this state and invalidates marks of later
  /// positions.
  Mark mark() const;
  void rewind(const Mark& mark);

  /// Bytes held by caches and recurrent states.
  std::int64_t bytes() const;
  /// An independent copy made of two states that have read the same text: layers below `split` from
  /// `lower`, the others from `upper`. Its caches have room for `tokens` positions.
  static State fork(const State& lower, std::int64_t split, const State& upper,
                    std::int64_t tokens);

 private:
  std::vector<LayerState> layers_;
  std::int64_t position_ = 0;
};

}  // namespace niah::models
