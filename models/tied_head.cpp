#include "models/tied_head.h"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "harness/base/error.h"

namespace niah::models {

std::string embedding_tensor(const ModelInfo& info) {
  for (const OtherPart& other : info.others)
    if (other.rows.part == Part::kEmbedding) return other.rows.rows.tensor;
  return "";
}

const TensorInfo* stored_tied_head(const Checkpoint& checkpoint, const ModelInfo& info) {
  return info.tied_head.empty() ? nullptr : checkpoint.find(info.tied_head);
}

void check_tied_head(const Checkpoint& checkpoint, const ModelInfo& info) {
  const TensorInfo* head = stored_tied_head(checkpoint, info);
  if (head == nullptr) return;
  require_floating(checkpoint, info.tied_head);
  const std::vector<std::int64_t> shape = {info.vocab_size, info.hidden_size};
  if (head->shape != shape)
    throw DataError(fmt::format(
        "loading {}: the tensor {} is {}, and the embedding, to which its config.json ties it "
        "(tie_word_embeddings: true), is {}; remove it, or set tie_word_embeddings to false",
        checkpoint.path().text(), info.tied_head, format_shape(head->shape), format_shape(shape)));

  // An adapter that changes only the embedding makes the two differ.
  const Adapter* adapter = checkpoint.adapter();
  const std::string embedding = embedding_tensor(info);
  if (adapter == nullptr || adapter->find(info.tied_head) != nullptr ||
      adapter->find(embedding) == nullptr)
    return;
  throw DataError(fmt::format(
      "loading {}: the adapter changes {}, which serves as the output head, too "
      "(tie_word_embeddings: true), and not the {} that the base stores beside it, so it is "
      "unclear whether the head changes with it; merge the adapter with the program that "
      "trained it and name the merged checkpoint",
      checkpoint.path().text(), embedding, info.tied_head));
}

void refuse_other_head(const std::string& label, const std::string& head,
                       const std::string& embedding) {
  throw DataError(fmt::format(
      "loading {}: config.json says tie_word_embeddings: true, but the file holds an {} that "
      "differs from {}. Set tie_word_embeddings to false if the head was trained apart, or "
      "remove {}.",
      label, head, embedding, head));
}

}  // namespace niah::models
