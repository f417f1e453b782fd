#include "models/decode/greedy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "harness/base/error.h"

namespace niah::models {
namespace {

bool contains(const std::vector<std::int64_t>& ids, std::int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

GreedyDecoder::GreedyDecoder(std::vector<std::int64_t> tail, DecodeOptions options)
    : options_(std::move(options)), pending_(std::move(tail)) {
  check(!pending_.empty(), "decoding starts after at least one token");
  if (!options_.draft.empty()) guess_.assign(options_.draft.begin(), options_.draft.end() - 1);
  ids_ = pending_;
  ids_.insert(ids_.end(), guess_.begin(), guess_.end());
}

/// Appends the greedy tokens `best` to the output as far as they confirm the guess: best[i] was
/// computed after guess tokens 0 to i-1, so it is valid if those were right. Sets `right` to the
/// number of right guesses and `next` to the last token. False: the output ends here.
bool GreedyDecoder::accept(const std::vector<std::int64_t>& best, std::size_t& right,
                           std::int64_t& next) {
  while (true) {
    next = best[right];
    if (contains(options_.eos_ids, next)) return false;
    if (static_cast<std::int64_t>(out_.ids.size()) >= options_.max_new_tokens ||
        (options_.exhausted && options_.exhausted(out_.ids))) {
      out_.hit_limit = true;
      return false;
    }
    out_.ids.push_back(next);
    if (lookahead_) lookahead_->append(next);
    if (options_.decided && options_.decided(out_.ids)) return false;
    if (right == guess_.size() || next != guess_[right]) return true;
    ++right;
  }
}

/// Makes the next guess, after `right` tokens of the last one were right.
void GreedyDecoder::look_ahead(std::size_t right) {
  if (lookahead_) {
    lookahead_->learn(guess_.size(), right);
  } else {
    lookahead_.emplace(options_.prompt);
    for (const std::int64_t id : out_.ids) lookahead_->append(id);
  }
  guess_.clear();
  // After a rewind the accepted tokens are read without a guess, which might force another rewind.
  if (pending_.size() > 1 || options_.prompt.empty()) return;
  guess_ =
      lookahead_->guess(options_.max_new_tokens - static_cast<std::int64_t>(out_.ids.size()) - 1);
}

std::vector<std::int64_t> best_tokens(const at::Tensor& logits) {
  const at::Tensor best =  // one tensor, so that there is a single wait for the device
      at::where(at::isfinite(logits).all(-1), logits.argmax(-1), -1).cpu();
  const auto* first = best.const_data_ptr<std::int64_t>();
  return {first, first + best.numel()};
}

GreedyDecoder::Seen GreedyDecoder::look(std::vector<std::int64_t> best) const {
  if (contains(best, -1)) return {.finite = false};
  return {.best = std::move(best)};
}

GreedyDecoder::Seen GreedyDecoder::look(const at::Tensor& logits) const {
  constexpr std::int64_t kRows = 16;  // rows at a time, because a draft may be a page of text
  Seen seen;
  at::Tensor targets;
  if (scores_draft())
    targets =
        at::tensor(at::IntArrayRef(options_.draft), logits.options().dtype(at::kLong)).unsqueeze(1);
  double log_prob = 0;
  std::int64_t above = 0;
  for (std::int64_t at = 0; at < logits.size(0); at += kRows) {
    const std::int64_t rows = std::min(kRows, logits.size(0) - at);
    const at::Tensor some = logits.narrow(0, at, rows);
    const std::vector<std::int64_t> best = best_tokens(some);
    if (contains(best, -1)) return {.finite = false};
    seen.best.insert(seen.best.end(), best.begin(), best.end());
    if (!scores_draft()) continue;
    const at::Tensor target = targets.narrow(0, at, rows);
    log_prob += at::log_softmax(some.to(at::kDouble), -1).gather(1, target).sum().item<double>();
    above = std::max(above, some.gt(some.gather(1, target)).sum(1).max().item<std::int64_t>());
  }
  if (scores_draft()) {
    seen.draft_log_prob = log_prob;
    seen.draft_rank = above + 1;
  }
  return seen;
}

GreedyDecoder::Next GreedyDecoder::take(const Seen& seen) {
  out_.computed_tokens += static_cast<std::int64_t>(ids_.size());
  ++out_.passes;
  out_.finite = seen.finite;
  if (!seen.finite) return Next::kDone;
  if (seen.draft_rank) {
    out_.draft_log_prob = seen.draft_log_prob;
    out_.draft_rank = seen.draft_rank;
  }

  std::size_t right = 0;
  std::int64_t next = 0;
  if (!accept(seen.best, right, next)) return Next::kDone;
  const bool rewind = right < guess_.size();
  if (rewind)
    pending_.insert(pending_.end(), guess_.begin(), guess_.begin() + static_cast<long>(right));
  else
    pending_.clear();
  pending_.push_back(next);
  look_ahead(right);
  ids_ = pending_;
  ids_.insert(ids_.end(), guess_.begin(), guess_.end());
  return rewind ? Next::kRewindAndRead : Next::kRead;
}

bool decode_pass(PrefixReader& reader, std::size_t variant, GreedyDecoder& decoder) {
  const PrefixReader::Snapshot start = reader.mark();
  GreedyDecoder::Seen seen;
  try {
    seen = decoder.look(reader.read_one(variant, decoder.ids(), decoder.rows()));
  } catch (...) {
    reader.rewind(start);
    throw;
  }
  const auto next = decoder.take(seen);
  if (next == GreedyDecoder::Next::kRewindAndRead) reader.rewind(start);
  return next != GreedyDecoder::Next::kDone;
}

Generation decode_greedy(PrefixReader& reader, std::size_t variant,
                         const std::vector<std::int64_t>& tail, const DecodeOptions& options) {
  GreedyDecoder decoder(tail, options);
  while (decode_pass(reader, variant, decoder)) {
  }
  return decoder.generation();
}

namespace {

/// Reads for each branch what its decoder wants read next; returns what each decoder sees.
std::vector<GreedyDecoder::Seen> read_all(CausalLM& model, const std::vector<Branch*>& branches) {
  std::vector<GreedyDecoder::Seen> seen(branches.size());
  std::vector<std::size_t> together;
  std::vector<std::int64_t> ids;
  std::vector<State*> states;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    auto& [decoder, state] = *branches[i];
    if (decoder->ids().size() > 1) {
      seen[i] = decoder->look(
          model.forward_rows(as_sequence(decoder->ids()), state, decoder->rows()).squeeze(0));
      continue;
    }
    together.push_back(i);
    ids.push_back(decoder->ids().front());
    states.push_back(&state);
  }
  if (together.empty()) return seen;
  const at::Tensor joint = model.forward_rows(as_sequence(ids).t(), states, 1);  // [B, 1, vocab]
  const std::vector<std::int64_t> best = best_tokens(joint.squeeze(1));
  for (std::size_t i = 0; i < together.size(); ++i) {
    const GreedyDecoder& decoder = *branches[together[i]]->decoder;
    seen[together[i]] = decoder.scores_draft() ? decoder.look(joint[static_cast<std::int64_t>(i)])
                                               : decoder.look(std::vector{best[i]});
  }
  return seen;
}

}  // namespace

std::vector<bool> decode_pass(CausalLM& model, const std::vector<Branch*>& branches) {
  std::vector<Mark> starts;
  for (const Branch* branch : branches) starts.push_back(branch->state.mark());
  std::vector<GreedyDecoder::Seen> seen;
  try {
    seen = read_all(model, branches);
  } catch (...) {
    for (std::size_t i = 0; i < branches.size(); ++i) branches[i]->state.rewind(starts[i]);
    throw;
  }
  std::vector<bool> goes_on;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const auto next = branches[i]->decoder->take(seen[i]);
    if (next == GreedyDecoder::Next::kRewindAndRead) branches[i]->state.rewind(starts[i]);
    goes_on.push_back(next != GreedyDecoder::Next::kDone);
  }
  return goes_on;
}

}  // namespace niah::models
