#include "harness/cost/cell_memory.h"

#include <algorithm>

#include "harness/engine/local/batched_decode.h"

namespace niah {
namespace {

// How many tensors of one pass are alive at once, of the hidden size and of the widest projection,
// some of them in fp32. Checked against runs of the zoo and of a model with 0.5B parameters.
constexpr double kHiddenCopies = 6, kWideCopies = 4;
constexpr std::int64_t kDraftTokens = 32;

/// Bytes of one layer's state that grow with the text, and that do not.
struct LayerBytes {
  double cache = 0, fixed = 0;
};

LayerBytes layer_bytes(const models::MixerCost& mixer, std::int64_t tokens, std::int64_t element) {
  const auto values = static_cast<double>(mixer.kv_values), size = static_cast<double>(element);
  LayerBytes bytes;
  bytes.fixed =
      4 * static_cast<double>(mixer.state_values) + size * static_cast<double>(mixer.tail_values);
  if (mixer.window > 0)
    bytes.fixed += size * values * static_cast<double>(std::min(tokens, mixer.window - 1));
  else
    bytes.cache = size * values * static_cast<double>(tokens);
  return bytes;
}

/// The states of `variants` of a group's variants after `tokens` tokens; shared layers count once.
LayerBytes state_bytes(const GroupShape& group, std::int64_t tokens, std::int64_t variants) {
  LayerBytes sum;
  for (std::size_t i = 0; i < group.info.mixers.size(); ++i) {
    const bool shared = static_cast<std::int64_t>(i) < group.shared_layers;
    const auto copies = static_cast<double>(shared ? 1 : variants);
    const LayerBytes bytes = layer_bytes(group.info.mixers[i].cost, tokens, group.element);
    sum.cache += copies * bytes.cache;
    sum.fixed += copies * bytes.fixed;
  }
  return sum;
}

}  // namespace

void add_needs(CellNeeds& needs, const Question& question) {
  needs.tokens = std::max(needs.tokens, question.longest());
  needs.draft = std::max(needs.draft, static_cast<std::int64_t>(question.draft.size()));
  needs.prompt_tokens += static_cast<std::int64_t>(question.ids.size());
}

MemoryPrice price_cell_memory(const GroupShape& group, const CellNeeds& needs) {
  MemoryPrice price;
  const LayerBytes state = state_bytes(group, needs.tokens, group.variants);
  const double fixed = state.fixed;
  price.cache = state.cache;
  // The state itself, the snapshot before the last token, and those of shared prefixes.
  price.states = 2 * fixed + std::min(static_cast<double>(needs.marks) * fixed,
                                      static_cast<double>(needs.mark_budget));
  const auto hidden = static_cast<double>(group.info.hidden_size);
  const std::int64_t rows = std::max(kDraftTokens, needs.draft);
  price.chunk = 4 * static_cast<double>(needs.chunk) *
                    (kHiddenCopies * hidden + kWideCopies * static_cast<double>(group.widest)) +
                static_cast<double>(rows * group.info.vocab_size * (group.element + 4));
  // In bf16 the attention kernel makes a packed copy of one layer's keys and values.
  double largest_cache = 0;
  for (const models::MixerInfo& mixer : group.info.mixers)
    largest_cache =
        std::max(largest_cache, layer_bytes(mixer.cost, needs.tokens, group.element).cache);
  if (group.element == 2) price.chunk += largest_cache;
  price.samples = 4 * static_cast<double>(needs.prompt_tokens);
  for (double* part : {&price.cache, &price.states, &price.chunk, &price.samples})
    *part *= static_cast<double>(needs.workers);
  return price;
}

double answer_bytes(const GroupShape& group, std::int64_t tokens, std::int64_t budget,
                    std::int64_t workers, std::int64_t samples) {
  const LayerBytes parts = state_bytes(group, tokens, 1);
  const double state = parts.cache + parts.fixed;
  double weights = group.head_parameters;
  for (const double parameters : group.layer_parameters) weights += parameters;
  const std::int64_t each =
      batch_bytes(static_cast<std::int64_t>(state),
                  static_cast<std::int64_t>(weights * static_cast<double>(group.element)),
                  group.variants, budget);
  return std::min(static_cast<double>(workers * each),
                  static_cast<double>(samples * group.variants) * state);
}

}  // namespace niah
