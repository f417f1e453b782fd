#include "models/surgery/checkpoint_pair.h"

#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "models/registry.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

OpenCheckpoint open(const CheckpointPath& path) {
  OpenCheckpoint opened;
  opened.checkpoint = std::make_shared<Checkpoint>(path);
  opened.meta = check_tensors(*opened.checkpoint, opened.checkpoint->config());
  return opened;
}

bool are_same_bytes(const fs::path& a, const fs::path& b) {
  return MappedFile(a).view() == MappedFile(b).view();
}

/// The tokenizer of a checkpoint, or nullptr and the reason if it has none that can be read.
std::shared_ptr<const Tokenizer> try_tokenizer(const fs::path& folder, std::string& why_not) {
  try {
    return open_tokenizer(folder);
  } catch (const DataError& error) {
    why_not = error.what();
    return nullptr;
  }
}

/// If both checkpoints have tokenizer files, they must turn text into the same ids.
void require_same_tokenizer(const fs::path& pre, const fs::path& post) {
  std::string different;  // a file whose bytes differ, which may or may not change the ids
  for (const char* name : {"tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt"})
    if (is_there(pre / name) && is_there(post / name) && !are_same_bytes(pre / name, post / name))
      different = name;
  if (different.empty()) return;
  std::string why_not;
  const auto before = try_tokenizer(pre, why_not), after = try_tokenizer(post, why_not);
  if (before && after && make_same_ids(*before, *after)) return;
  throw DataError(
      fmt::format("comparing checkpoints: {} and {} differ{}: W_Q and W_K of a model with one "
                  "tokenizer are meaningless in a model with another",
                  (pre / different).string(), (post / different).string(),
                  why_not.empty() ? " in the ids that they make" : fmt::format(" ({})", why_not)));
}

}  // namespace

CheckpointPair open_pair(const CheckpointPath& pre, const CheckpointPath& post) {
  CheckpointPair pair{open(pre), open(post)};
  require_same_model(pre.text(), pair.pre.meta->info(), post.text(), pair.post.meta->info());
  require_same_tokenizer(pre.folder, post.folder);
  return pair;
}

NamesBefore::NamesBefore(const CheckpointPair& pair)
    : names_(counterparts(pair.post.meta->info(), pair.pre.meta->info())),
      pre_(pair.pre.checkpoint->path().text()) {}

const std::string& NamesBefore::operator()(const std::string& name) const {
  const auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  throw DataError(
      fmt::format("restoring: tensor '{}' has no counterpart in {}, which is laid out in another "
                  "way",
                  name, pre_));
}

}  // namespace niah::models
