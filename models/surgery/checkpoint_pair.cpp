#include "models/surgery/checkpoint_pair.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/memory.h"
#include "models/registry.h"
#include "models/weights.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

OpenCheckpoint open(const fs::path& folder) {
  OpenCheckpoint opened;
  opened.checkpoint = std::make_shared<Checkpoint>(folder);
  opened.meta = check_tensors(*opened.checkpoint, opened.checkpoint->config());
  return opened;
}

/// Files that say how text becomes ids; where both have one, it must be the same.
void require_same_tokenizer(const fs::path& pre, const fs::path& post) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt"}) {
    if (!fs::exists(pre / name) || !fs::exists(post / name)) continue;
    if (MappedFile(pre / name).view() == MappedFile(post / name).view()) continue;
    throw DataError(
        fmt::format("comparing checkpoints: {} and {} differ: W_Q and W_K of one tokenizer's model "
                    "mean nothing in another's",
                    (pre / name).string(), (post / name).string()));
  }
}

}  // namespace

CheckpointPair open_pair(const fs::path& pre, const fs::path& post) {
  CheckpointPair pair{open(pre), open(post)};
  require_same_model(pre.string(), pair.pre.checkpoint->config(), post.string(),
                     pair.post.checkpoint->config());
  require_same_tokenizer(pre, post);
  return pair;
}

at::Tensor read_values(const OpenCheckpoint& from, const std::string& name) {
  const TensorInfo& info = *from.checkpoint->find(name);
  const auto bytes = from.checkpoint->bytes(info);
  at::Tensor values = view_tensor(info, bytes, from.checkpoint).to(at::kFloat, false, true);
  release_pages(bytes.data(), bytes.size());
  return values;
}

}  // namespace niah::models
