// Several variants of one model reading the same text, with the layers they share computed once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// Reads a text with one or more variants. Layers below the first one in which the variants differ
/// are run once for all of them; QK-Restored variants share all layers below the first softmax
/// layer. Results are bit for bit those of each model alone.
class PrefixReader {
 public:
  /// The variants must have the same architecture; `tokens` is the length of the longest text
  /// expected. A layer is shared if its parameters are the same tensors or equal in content.
  PrefixReader(std::vector<std::shared_ptr<CausalLM>> variants, std::int64_t tokens);

  /// Reads `ids` with every variant, without logits.
  void read(const std::vector<std::int64_t>& ids);
  /// Reads `ids` with one variant only and returns logits [rows, vocab] of the last `rows`
  /// positions. Before another variant can read, the reader must be rewound.
  at::Tensor read_one(std::size_t variant, const std::vector<std::int64_t>& ids, std::int64_t rows);

  /// Waits until everything read has been computed; a GPU works asynchronously.
  void wait() const;

  /// See State::skip.
  void skip(std::int64_t tokens);

  /// Number of tokens read.
  std::int64_t position() const { return prefix_state_.position(); }
  std::size_t variants() const { return models_.size(); }
  /// Number of layers that all variants share.
  std::int64_t shared_layers() const { return shared_; }

  /// A point to rewind to; see State::mark.
  struct Snapshot {
    Mark trunk;              ///< of the shared layers
    std::vector<Mark> tops;  ///< of each variant's own layers
    /// Upper bound of the bytes that it keeps alive in addition to the reader's own.
    std::int64_t bytes() const;
  };
  Snapshot mark() const;
  void rewind(const Snapshot& snapshot);

  /// An independent state of one variant at this position, with room for `tokens` positions in
  /// total.
  State fork(std::size_t variant, std::int64_t tokens) const;
  /// Upper bound of the bytes that such a state takes.
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
