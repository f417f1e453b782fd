#include "harness/engine/local/batched_decode.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "harness/base/interrupt.h"
#include "harness/base/progress.h"
#include "harness/engine/local/memory_guard.h"
#include "models/ops/projection.h"

namespace niah {
namespace {

/// The most sequences of one variant in a batch. With more, attention to each text is most of a
/// pass.
constexpr std::int64_t kTogether = 8;
static_assert(kTogether <= models::kFewRows, "each must get what it would get alone");

/// Reading a state larger than so many times the weights takes most of a pass by itself.
constexpr std::int64_t kStateToWeights = 4;

}  // namespace

std::int64_t batch_bytes(std::int64_t state_bytes, std::int64_t weight_bytes, std::int64_t variants,
                         std::int64_t budget) {
  if (state_bytes > kStateToWeights * weight_bytes || 2 * state_bytes > budget) return 0;
  return std::min(kTogether * variants, budget / std::max<std::int64_t>(1, state_bytes)) *
         state_bytes;
}

BatchedDecode::BatchedDecode(std::vector<std::shared_ptr<models::CausalLM>> models,
                             std::int64_t tokens, std::int64_t budget, Finish finish)
    : tokens_(tokens), budget_(budget), finish_(std::move(finish)) {
  for (auto& model : models) {
    Variant variant{.model = std::move(model)};
    for (const at::Tensor& tensor : variant.model->parameters()) {
      variant.weight_bytes += static_cast<std::int64_t>(tensor.nbytes());
      // A GPU's last bits may always differ, and it waits for most of a pass with a single
      // sequence.
      variant.is_exact = variant.is_exact &&
                         (!tensor.is_cpu() || tensor.dim() != 2 || models::is_row_exact(tensor));
    }
    variants_.push_back(std::move(variant));
  }
}

bool BatchedDecode::pays(const models::PrefixReader& reader, std::size_t variant,
                         const DecodeSession& session) const {
  constexpr std::int64_t kProbation = 6;  // passes; many answers end earlier
  const models::Generation& said = session.decoder().generation();
  const bool is_slow =
      said.passes >= kProbation && static_cast<std::int64_t>(said.ids.size()) < 2 * said.passes;
  const Variant& own = variants_[variant];
  return is_slow && own.is_exact &&
         batch_bytes(reader.fork_bytes(variant), own.weight_bytes, 1, budget_) > 0;
}

bool BatchedDecode::add(const models::PrefixReader& reader, std::size_t variant,
                        std::unique_ptr<DecodeSession>& session) {
  const std::int64_t bytes = reader.fork_bytes(variant);
  Variant& own = variants_[variant];
  while (std::ssize(own.sequences) == kTogether || (bytes_ > 0 && bytes_ + bytes > budget_)) {
    const auto largest = std::max_element(
        variants_.begin(), variants_.end(),
        [](const Variant& a, const Variant& b) { return a.sequences.size() < b.sequences.size(); });
    step(std::ssize(own.sequences) == kTogether ? own : *largest);
  }
  std::optional<models::State> state;
  if (!fits_in_memory([&] { state = reader.fork(variant, tokens_); })) return false;
  models::Branch branch{&session->decoder(), std::move(*state)};
  own.sequences.push_back({std::move(session), std::move(branch), bytes});
  bytes_ += bytes;
  return true;
}

/// Decodes one pass of each sequence by itself, after memory did not suffice for all at once.
std::vector<bool> BatchedDecode::step_alone(Variant& variant) {
  std::vector<bool> goes_on;
  for (Sequence& one : variant.sequences) {
    const bool fits = fits_in_memory(
        [&] { goes_on.push_back(models::decode_pass(*variant.model, {&one.branch}).front()); });
    if (fits) continue;
    one.session->fail_for_memory();
    goes_on.push_back(false);
  }
  return goes_on;
}

void BatchedDecode::step(Variant& variant) {
  stop_if_interrupted();
  std::vector<models::Branch*> batch;
  for (Sequence& one : variant.sequences) batch.push_back(&one.branch);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<bool> goes_on;
  if (!fits_in_memory([&] { goes_on = models::decode_pass(*variant.model, batch); }))
    goes_on = step_alone(variant);
  const double seconds = seconds_since(begin) / static_cast<double>(batch.size());
  auto one = variant.sequences.begin();
  for (const bool goes : goes_on) {
    one->session->account(0, seconds);
    if (goes) {
      ++one;
      continue;
    }
    finish_(*one->session);
    bytes_ -= one->bytes;
    one = variant.sequences.erase(one);
  }
}

void BatchedDecode::finish_all() {
  for (Variant& variant : variants_)
    while (!variant.sequences.empty()) step(variant);
}

}  // namespace niah
