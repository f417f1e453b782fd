#include "models/decode.h"

#include <torch/torch.h>

#include <algorithm>

#include "harness/base/error.h"

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
  const Reader::Point start = reader.mark();
  const auto& draft = options.draft;

  // One pass over the prompt's tail and the draft but for its last token: row i of the logits
  // predicts draft token i.
  std::vector<std::int64_t> ids = tail;
  if (!draft.empty()) ids.insert(ids.end(), draft.begin(), draft.end() - 1);
  const auto rows = static_cast<std::int64_t>(std::max<std::size_t>(draft.size(), 1));
  at::Tensor logits = reader.read_one(variant, ids, rows);
  out.computed_tokens = static_cast<std::int64_t>(ids.size());
  if (!at::isfinite(logits).all().item<bool>()) {
    out.finite = false;
    return out;
  }
  if (!draft.empty()) score_draft(logits, draft, out);

  const auto is_full = [&] {
    return static_cast<std::int64_t>(out.ids.size()) >= options.max_new_tokens ||
           (options.exhausted && options.exhausted(out.ids));
  };
  const at::Tensor best = logits.argmax(-1);
  std::int64_t next = 0;
  std::size_t accepted = 0;  // draft tokens that are the model's own choice
  while (true) {
    next = best[static_cast<std::int64_t>(accepted)].item<std::int64_t>();
    if (contains(options.eos_ids, next)) return out;
    if (is_full()) {
      out.hit_limit = true;
      return out;
    }
    out.ids.push_back(next);
    if (options.decided && options.decided(out.ids)) return out;
    if (accepted + 1 >= draft.size() || next != draft[accepted]) break;
    ++accepted;
  }

  // The draft ends here: take the state back to what was accepted, and go on token by token.
  std::vector<std::int64_t> pending = {next};
  if (accepted + 1 < std::max<std::size_t>(draft.size(), 1)) {
    reader.rewind(start);
    pending = tail;
    pending.insert(pending.end(), out.ids.begin(), out.ids.end());
  }
  while (true) {
    logits = reader.read_one(variant, pending, 1);
    out.computed_tokens += static_cast<std::int64_t>(pending.size());
    if (!at::isfinite(logits).all().item<bool>()) {
      out.finite = false;
      return out;
    }
    next = logits.argmax(-1).item<std::int64_t>();
    if (contains(options.eos_ids, next)) return out;
    if (is_full()) {
      out.hit_limit = true;
      return out;
    }
    out.ids.push_back(next);
    if (options.decided && options.decided(out.ids)) return out;
    pending = {next};
  }
}

}  // namespace niah::models
