#include "models/decode.h"

#include <torch/torch.h>

#include <algorithm>

#include "harness/base/error.h"
#include "models/lookahead.h"

namespace niah::models {
namespace {

bool contains(const std::vector<std::int64_t>& ids, std::int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// Scores the draft by logits [draft, vocab] of the positions that predict its tokens.
void score_draft(const at::Tensor& logits, const std::vector<std::int64_t>& draft,
                 Generation& out) {
  const at::Tensor targets = at::tensor(at::IntArrayRef(draft), at::kLong).unsqueeze(1);
  const at::Tensor chosen = logits.gather(1, targets);
  const at::Tensor log_probs = at::log_softmax(logits.to(at::kDouble), -1).gather(1, targets);
  out.draft_log_prob = log_probs.sum().item<double>();
  out.draft_rank = logits.gt(chosen).sum(1).max().item<std::int64_t>() + 1;
}

}  // namespace

Generation decode_greedy(Reader& reader, std::size_t variant, const std::vector<std::int64_t>& tail,
                         const DecodeOptions& options) {
  check(!tail.empty(), "decoding starts after at least one token");
  Generation out;
  std::optional<Lookahead> lookahead;        // made when the expected answer's draft is used up
  std::vector<std::int64_t> pending = tail;  // accepted, but not read yet
  std::vector<std::int64_t> guess;           // what may follow them
  if (!options.draft.empty()) guess.assign(options.draft.begin(), options.draft.end() - 1);
  const auto is_full = [&] {
    return static_cast<std::int64_t>(out.ids.size()) >= options.max_new_tokens ||
           (options.exhausted && options.exhausted(out.ids));
  };
  while (true) {
    // Row i of the logits follows guess token i - 1, and tells whether token i is right.
    std::optional<Reader::Point> start;
    if (!guess.empty()) start = reader.mark();
    std::vector<std::int64_t> ids = pending;
    ids.insert(ids.end(), guess.begin(), guess.end());
    const at::Tensor logits =
        reader.read_one(variant, ids, static_cast<std::int64_t>(guess.size()) + 1);
    out.computed_tokens += static_cast<std::int64_t>(ids.size());
    ++out.passes;
    if (!at::isfinite(logits).all().item<bool>()) {
      out.finite = false;
      return out;
    }
    if (!options.draft.empty() && !out.draft_rank) score_draft(logits, options.draft, out);

    const at::Tensor best = logits.argmax(-1);
    std::size_t right = 0;
    std::int64_t next = 0;
    while (true) {
      next = best[static_cast<std::int64_t>(right)].item<std::int64_t>();
      if (contains(options.eos_ids, next)) return out;
      if (is_full()) {
        out.hit_limit = true;
        return out;
      }
      out.ids.push_back(next);
      if (lookahead) lookahead->append(next);
      if (options.decided && options.decided(out.ids)) return out;
      if (right == guess.size() || next != guess[right]) break;
      ++right;
    }

    if (right < guess.size()) {  // take the state back to what is accepted
      reader.rewind(*start);
      pending.insert(pending.end(), guess.begin(), guess.begin() + static_cast<long>(right));
      pending.push_back(next);
    } else {
      pending = {next};
    }
    if (lookahead) {
      lookahead->learn(guess.size(), right);
    } else {
      lookahead.emplace(options.prompt);
      for (const std::int64_t id : out.ids) lookahead->append(id);
    }
    const bool behind = pending.size() > 1;  // a rewound text is read before more is guessed on it
    const auto room = options.max_new_tokens - static_cast<std::int64_t>(out.ids.size());
    guess =
        behind || options.prompt.empty() ? std::vector<std::int64_t>() : lookahead->guess(room - 1);
  }
}

}  // namespace niah::models
