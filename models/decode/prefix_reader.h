// Several variants of one model reading the same text: what they have in common is computed once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// Reads a text for one or more variants. Layers below the first one in which the variants differ
/// are run once for all of them (QK-Restored variants of a model whose softmax layers lie high
/// share nearly everything). Results are those of each model alone, to the bit.
class PrefixReader {
 public:
  /// The variants must have the same architecture; `tokens` is the longest text expected. Layers
  /// count as shared while all their parameters are the same tensors or equal in content.
  PrefixReader(std::vector<std::shared_ptr<CausalLM>> variants, std::int64_t tokens);

  /// Reads `ids` for every variant; no logits.
  void read(const std::vector<std::int64_t>& ids);
  /// Reads `ids` for one variant only and returns logits [rows, vocab] of the last `rows`
  /// positions. The other variants must be rewound before they read on.
  at::Tensor read_one(std::size_t variant, const std::vector<std::int64_t>& ids, std::int64_t rows);

  /// Waits until what was read is computed: a device does that behind the caller's back.
  void wait() const;

  /// See State::skip.
  void skip(std::int64_t tokens);

  /// Tokens read.
  std::int64_t position() const { return prefix_state_.position(); }
  std::size_t variants() const { return models_.size(); }
  /// Number of layers that all variants share.
  std::int64_t shared_layers() const { return shared_; }

  /// A snapshot to come back to; see State::mark.
  struct Snapshot {
    Mark trunk;
    std::vector<Mark> tops;
    /// Bytes that it keeps alive beside the reader's own, at most.
    std::int64_t bytes() const;
  };
  Snapshot mark() const;
  void rewind(const Snapshot& snapshot);

  /// A state of one variant's own that goes on from here, with room for `tokens` positions in all.
  State fork(std::size_t variant, std::int64_t tokens) const;
  /// Bytes that such a state takes, at most.
  std::int64_t fork_bytes(std::size_t variant) const;

  /// Bytes held by all states.
  std::int64_t bytes() const;

 private:
  at::Tensor run_shared(const at::Tensor& ids, const Pass& pass);
  at::Tensor run_top(std::size_t variant, at::Tensor hidden, const Pass& pass, std::int64_t rows);

  std::vector<std::shared_ptr<CausalLM>> models_;
  at::Device device_;
  std::int64_t shared_;
  State prefix_state_;
  std::vector<State> tops_;
};

}  // namespace niah::models
