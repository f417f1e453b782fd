// Greedy decoding with drafts, and the probability of the expected answer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/decode/prefix_reader.h"
#include "models/decode/prompt_lookup.h"

namespace niah::models {

/// When to stop, which answer is expected, and where drafts come from.
struct DecodeOptions {
  std::int64_t max_new_tokens = 128;
  std::vector<std::int64_t> eos_ids{};
  /// The tokens of the expected answer. They are scored, and serve as the first draft: as long as
  /// the model's greedy choice equals the draft, one pass yields several tokens. The output is
  /// always the model's greedy one, whatever the draft.
  std::vector<std::int64_t> draft{};
  /// The whole prompt including its tail. Where prompt and output repeat themselves, the repetition
  /// serves as the next draft. Must outlive the first pass. Empty: after the first draft, one pass
  /// per token.
  std::span<const std::int64_t> prompt{};
  /// Whether no later token can change the outcome, given the ids generated so far; then decoding
  /// stops. Empty: never.
  std::function<bool(const std::vector<std::int64_t>&)> decided{};
  /// A second limit besides max_new_tokens: whether the ids generated so far leave no room for
  /// another. Called once before each further token. Empty: no such limit.
  std::function<bool(const std::vector<std::int64_t>&)> exhausted{};
};

struct Generation {
  std::vector<std::int64_t> ids;           ///< without the end-of-text token
  bool hit_limit = false;                  ///< stopped by max_new_tokens or `exhausted`
  bool finite = true;                      ///< false: ended by a logit that was NaN or infinite
  std::int64_t computed_tokens = 0;        ///< tokens read, drafts that were wrong included
  std::int64_t passes = 0;                 ///< forward passes
  std::optional<double> draft_log_prob;    ///< natural logarithm, summed over the draft
  std::optional<std::int64_t> draft_rank;  ///< worst rank of a draft token; 1: the likeliest
};

/// The likeliest token of each row of logits [R, vocab]; -1 for a row with a logit that is not
/// finite.
std::vector<std::int64_t> best_tokens(const at::Tensor& logits);

/// Decodes one sequence from the end of its prompt to the end of its output. The decoder says what
/// to read next and takes the logits; the forward passes are run by the caller, who owns the
/// sequence's state, for one sequence or for several in a batch.
class GreedyDecoder {
 public:
  /// `tail`: the last tokens of the prompt, which have not been read yet (at least one).
  GreedyDecoder(std::vector<std::int64_t> tail, DecodeOptions options);

  /// The tokens that the next pass has to read.
  const std::vector<std::int64_t>& ids() const { return ids_; }
  /// The number of last positions of that pass whose logits are needed. If it is more than one,
  /// some tokens are guessed, and the state may have to be rewound.
  std::int64_t rows() const { return static_cast<std::int64_t>(guess_.size()) + 1; }

  /// What decoding needs to know of a pass' logits.
  struct Seen {
    bool finite = true;
    std::vector<std::int64_t> best{};        ///< the likeliest token of each row
    std::optional<double> draft_log_prob{};  ///< of the expected answer, if this pass scores it
    std::optional<std::int64_t> draft_rank{};
  };
  /// Evaluates the logits [rows(), vocab] of that pass. Does not change the decoder, so if memory
  /// runs out, the pass can be repeated.
  Seen look(const at::Tensor& logits) const;
  /// The same from best_tokens() of the logits; only if scores_draft() is false.
  Seen look(std::vector<std::int64_t> best) const;
  /// Whether the next pass reads the expected answer and must score it.
  bool scores_draft() const { return !options_.draft.empty() && !out_.draft_rank; }

  enum class Next { kRead, kRewindAndRead, kDone };
  /// Continues with the result of a pass. kRewindAndRead: the state must be rewound to before that
  /// pass, then the next one read.
  Next take(const Seen& seen);
  /// The output so far.
  const Generation& generation() const { return out_; }

 private:
  bool accept(const std::vector<std::int64_t>& best, std::size_t& right, std::int64_t& next);
  void look_ahead(std::size_t right);

  DecodeOptions options_;
  Generation out_;
  std::optional<PromptLookup> lookahead_;  ///< created after the expected answer's draft
  std::vector<std::int64_t> pending_;      ///< accepted, but not read yet
  std::vector<std::int64_t> guess_;        ///< tokens that may follow them
  std::vector<std::int64_t> ids_;          ///< pending_ followed by guess_
};

/// One pass of `decoder` for one variant of `reader`. Returns whether decoding continues. If it
/// throws, both are as before.
bool decode_pass(PrefixReader& reader, std::size_t variant, GreedyDecoder& decoder);

/// Decodes greedily for one variant of `reader`, which must have read the prompt up to its last
/// tokens `tail` (at least one). Afterwards the reader is past the prompt and has to be rewound.
Generation decode_greedy(PrefixReader& reader, std::size_t variant,
                         const std::vector<std::int64_t>& tail, const DecodeOptions& options);

/// A sequence being decoded with its own state, independent of the reader that read its prompt.
struct Branch {
  GreedyDecoder* decoder;
  State state;
};

/// One pass for sequences of one model. Those that read a single token are run as one batch, so
/// that the weights are read from memory once for all of them; on the CPU each result is bit for
/// bit what the sequence would get alone. Returns for each whether decoding continues. If it
/// throws, all are as before.
std::vector<bool> decode_pass(CausalLM& model, const std::vector<Branch*>& branches);

}  // namespace niah::models
