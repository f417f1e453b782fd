// Greedy decoding, and how probable the expected answer was.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/decode/prefix_reader.h"
#include "models/decode/prompt_lookup.h"

namespace niah::models {

/// When to stop, and what is expected.
struct DecodeOptions {
  std::int64_t max_new_tokens = 128;
  std::vector<std::int64_t> eos_ids{};
  /// The expected answer's tokens. They are scored, and serve as a draft: positions where the
  /// model's own greedy choice is the drafted token are decided in one pass. The output is the
  /// greedy one whatever the draft is.
  std::vector<std::int64_t> draft{};
  /// The whole prompt, its tail included: what it and the output already said serves as a draft
  /// where they repeat themselves. Must outlive the first pass. Empty: one pass a token after the
  /// first draft.
  std::span<const std::int64_t> prompt{};
  /// Whether no later token can change the outcome; asked with the ids generated so far. Empty:
  /// never.
  std::function<bool(const std::vector<std::int64_t>&)> decided{};
  /// Whether another token is one too many, besides max_new_tokens; asked with the ids generated so
  /// far, once for each further token. Empty: never.
  std::function<bool(const std::vector<std::int64_t>&)> exhausted{};
};

struct Generation {
  std::vector<std::int64_t> ids;  ///< without the end-of-text token
  bool hit_limit = false;         ///< stopped by max_new_tokens or `exhausted`
  bool finite = true;             ///< false: a logit was NaN or infinite, nothing below holds
  std::int64_t computed_tokens = 0;
  std::int64_t passes = 0;                 ///< through the model
  std::optional<double> draft_log_prob;    ///< natural log, sum over the draft
  std::optional<std::int64_t> draft_rank;  ///< worst rank of a draft token, 1 = best
};

/// The likeliest token of each row of logits [R, vocab]; -1 for a row in which one is not finite.
std::vector<std::int64_t> best_tokens(const at::Tensor& logits);

/// One sequence's way from the prompt to the end of its output. It says what to read next and looks
/// at the logits; whoever has the sequence's state does the reading, for one sequence or for
/// several at a time.
class GreedyDecoder {
 public:
  /// `tail`: the prompt's last tokens, which have not been read (at least one).
  GreedyDecoder(std::vector<std::int64_t> tail, DecodeOptions options);

  /// What the next pass reads.
  const std::vector<std::int64_t>& ids() const { return ids_; }
  /// Logits are wanted of so many of its last positions. More than one: some tokens are guessed,
  /// and the state may have to be taken back.
  std::int64_t rows() const { return static_cast<std::int64_t>(guess_.size()) + 1; }

  /// What the logits of a pass say.
  struct Seen {
    bool finite = true;
    std::vector<std::int64_t> best{};        ///< the likeliest token of each row
    std::optional<double> draft_log_prob{};  ///< of the expected answer, where this pass read it
    std::optional<std::int64_t> draft_rank{};
  };
  /// Looks at the logits [rows(), vocab] of that pass. Changes nothing: should memory run out, the
  /// pass may be made again.
  Seen look(const at::Tensor& logits) const;
  /// The same without the logits, where best_tokens() of them is known and is all that is wanted.
  Seen look(std::vector<std::int64_t> best) const;
  /// Whether this pass reads the expected answer, whose probability is wanted.
  bool scores_draft() const { return !options_.draft.empty() && !out_.draft_rank; }

  enum class Next { kRead, kRewindAndRead, kDone };
  /// Goes on from there. kRewindAndRead: the state must first go back to before the pass.
  Next take(const Seen& seen);
  /// What has been generated.
  const Generation& generation() const { return out_; }

 private:
  bool accept(const std::vector<std::int64_t>& best, std::size_t& right, std::int64_t& next);
  void look_ahead(std::size_t right);

  DecodeOptions options_;
  Generation out_;
  std::optional<PromptLookup> lookahead_;  ///< made when the expected answer's draft is used up
  std::vector<std::int64_t> pending_;      ///< accepted, but not read yet
  std::vector<std::int64_t> guess_;        ///< what may follow them
  std::vector<std::int64_t> ids_;          ///< both
};

/// One pass of `decoder` for one variant of `reader`; whether it goes on. Where it throws, both are
/// as before.
bool decode_pass(PrefixReader& reader, std::size_t variant, GreedyDecoder& decoder);

/// Continues greedily for one variant of `reader`, which must stand before the prompt's last tokens
/// `tail` (at least one). Leaves the reader further on; rewind it.
Generation decode_greedy(PrefixReader& reader, std::size_t variant,
                         const std::vector<std::int64_t>& tail, const DecodeOptions& options);

/// A sequence that decodes on its own, apart from the reader that read its prompt.
struct Branch {
  GreedyDecoder* decoder;
  State state;
};

/// One pass for sequences of one model. Those that read a single token go through the layers
/// together, so that the weights are read once for all of them; on the CPU each gets, to the bit,
/// what it would have got alone. For each, whether it goes on. Where it throws, all are as before.
std::vector<bool> decode_pass(CausalLM& model, const std::vector<Branch*>& branches);

}  // namespace niah::models
