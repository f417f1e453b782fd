#include "models/surgery/restore_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/pending_folder.h"
#include "models/checkpoint/elements.h"
#include "models/registry.h"
#include "models/surgery/checkpoint_files.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/computed_weights.h"
#include "models/surgery/copied_rows.h"
#include "models/surgery/restoration.h"
#include "models/tied_head.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

/// Whether all that is restored is copied, not computed.
bool are_copies(const CheckpointPath& pre, const CheckpointPath& post,
                const RestoreOptions& options) {
  const bool is_whole = options.alpha == 0 || options.alpha == 1;
  return is_whole && !makes_new_weights(options.method) && !pre.has_adapter() &&
         !post.has_adapter();
}

/// Throws DataError for what has to be computed, in a program without libtorch.
void require_what_computes(const CheckpointPath& pre, const CheckpointPath& post,
                           const RestoreOptions& options) {
  if (are_copies(pre, post, options)) return;
  require_libtorch(makes_new_weights(options.method)
                       ? fmt::format("the method {}", restore_method_name(options.method))
                   : pre.has_adapter() || post.has_adapter()
                       ? "an adapter"
                       : fmt::format("alpha {}", options.alpha));
}

/// The output head that is stored beside the embedding and equal to it, if `name` is the embedding;
/// else nullptr.
const TensorInfo* head_beside(const OpenCheckpoint& from, const std::string& name) {
  const ModelInfo& info = from.meta->info();
  return name == embedding_tensor(info) ? stored_tied_head(*from.checkpoint, info) : nullptr;
}

/// Writes restored tensors into the copy of the checkpoint at `folder`.
class Restoration {
 public:
  Restoration(const CheckpointPair& pair, const fs::path& folder,
              const RestoreCheckpointOptions& options)
      : pair_(pair),
        post_(pair.post),
        folder_(folder),
        options_(options),
        name_before_(pair),
        computed_(pair, name_before_, options.restore) {}

  /// Goes through the tensors one at a time to save memory.
  void write_all(const std::vector<ChangedTensor>& changed) {
    summary_.layers = layers_of(post_.meta->info(), changed);
    if (makes_new_weights(options_.restore.method)) return write_layers(summary_.layers);
    const bool copies =
        are_copies(pair_.pre.checkpoint->path(), post_.checkpoint->path(), options_.restore);
    for (const ChangedTensor& tensor : changed) {
      stop_if_interrupted();
      if (copies)
        write(copied_rows(pair_, name_before_(tensor.name), tensor));
      else
        write_computed(MixerInfo(), tensor.rows);
    }
  }

  /// Writes all tensors that the adapter changes and no other function wrote.
  void merge_adapter() {
    const Adapter* adapter = post_.checkpoint->adapter();
    if (adapter == nullptr) return;
    std::set<std::string> done;
    for (const RestoredTensor& tensor : summary_.tensors) done.insert(tensor.name);
    for (const auto& [name, change] : adapter->changes()) {
      if (done.contains(name)) continue;
      stop_if_interrupted();
      put(name, computed_.merged(name).bytes);
    }
  }

  RestoreSummary finish() {
    summary_.residual = computed_.residual();
    return std::move(summary_);
  }

 private:
  /// New weights need a layer's W_Q and W_K together.
  void write_layers(const std::vector<std::int64_t>& layers) {
    for (const std::int64_t index : layers) {
      stop_if_interrupted();
      const MixerInfo& mixer = post_.meta->info().mixers[static_cast<std::size_t>(index)];
      write_computed(mixer, changed_rows(mixer, options_));
    }
  }

  void write_computed(const MixerInfo& mixer, const std::vector<PartRows>& rows) {
    for (const NewTensor& tensor : computed_.restored(mixer, rows)) write(tensor);
  }

  void write(const NewTensor& tensor) {
    RestoredTensor facts = tensor.facts;
    facts.file = put(facts.name, tensor.bytes);
    if (const TensorInfo* head = head_beside(post_, facts.name))
      write_head(*head, *post_.checkpoint->find(facts.name), tensor.bytes);
    summary_.tensors.push_back(std::move(facts));
  }

  /// Writes the restored embedding in the place of the head that is stored beside it.
  void write_head(const TensorInfo& head, const TensorInfo& embedding,
                  std::span<const std::byte> bytes) {
    const std::vector<std::byte> own = converted(bytes, embedding.dtype, head.dtype);
    if (!are_equal(own, head.dtype, bytes, embedding.dtype))
      throw DataError(fmt::format(
          "restoring: {} is tied to {} and stored beside it as {}, which cannot hold the numbers "
          "that the {} of the embedding can; remove it from {}, which needs it no more",
          head.name, embedding.name, dtype_name(head.dtype), dtype_name(embedding.dtype),
          post_.checkpoint->file_of(head.name).string()));
    put(head.name, own);
  }

  /// Writes a tensor to its place in the copy; returns the name of its file.
  std::string put(const std::string& name, std::span<const std::byte> bytes) {
    std::string file = post_.checkpoint->file_of(name).filename().string();
    patches_.try_emplace(file, folder_ / file)
        .first->second.write(post_.checkpoint->offset(*post_.checkpoint->find(name)), bytes);
    return file;
  }

  const CheckpointPair& pair_;
  const OpenCheckpoint& post_;
  fs::path folder_;
  const RestoreCheckpointOptions& options_;
  NamesBefore name_before_;
  ComputedWeights computed_;
  std::map<std::string, Patch> patches_;  // by file
  RestoreSummary summary_;
};

/// A merged checkpoint keeps the file layout of its base, which has no place for a head that the
/// base does not store.
void require_place_for_head(const OpenCheckpoint& post) {
  const Adapter* adapter = post.checkpoint->adapter();
  if (adapter == nullptr) return;
  if (adapter->new_head() == nullptr && adapter->find(kHeadTensor) == nullptr) return;
  const Checkpoint base(post.checkpoint->folder());
  if (check_tensors(base, base.config())->info().tied_head.empty()) return;
  throw UsageError(fmt::format(
      "restoring: the adapter {} brings an output head of its own, and {} uses its embedding as "
      "one: they cannot be merged into one checkpoint here; leave out --merge to write an adapter",
      adapter->folder().string(), base.folder().string()));
}

/// A head that is tied to the embedding and differs from it is in no checkpoint that can be loaded.
void require_equal_heads(const OpenCheckpoint& post, const std::vector<ChangedTensor>& changed) {
  for (const ChangedTensor& tensor : changed) {
    const TensorInfo* head = head_beside(post, tensor.name);
    if (head == nullptr) continue;
    const TensorInfo& embedding = *post.checkpoint->find(tensor.name);
    if (!are_equal(post.checkpoint->bytes(*head), head->dtype, post.checkpoint->bytes(embedding),
                   embedding.dtype))
      refuse_other_head(post.checkpoint->path().text(), head->name, tensor.name);
  }
}

/// The byte ranges of each file of `post` that are overwritten.
std::map<std::string, std::vector<ByteRange>> written_bytes(
    const OpenCheckpoint& post, const std::vector<ChangedTensor>& changed) {
  std::set<std::string> names;
  for (const ChangedTensor& tensor : changed) {
    names.insert(tensor.name);
    if (const TensorInfo* head = head_beside(post, tensor.name)) names.insert(head->name);
  }
  if (const Adapter* adapter = post.checkpoint->adapter())
    for (const auto& [name, change] : adapter->changes()) names.insert(name);
  std::map<std::string, std::vector<ByteRange>> written;
  for (const std::string& name : names) {
    const TensorInfo& tensor = *post.checkpoint->find(name);
    written[post.checkpoint->file_of(name).filename().string()].push_back(
        {post.checkpoint->offset(tensor), post.checkpoint->bytes(tensor).size()});
  }
  return written;
}

}  // namespace

RestoreSummary restore_checkpoint(const CheckpointPath& pre, const CheckpointPath& post,
                                  const fs::path& out, const RestoreCheckpointOptions& options) {
  require_restorable(pre, post, out, options.restore);
  require_what_computes(pre, post, options.restore);
  const CheckpointPair pair = open_pair(pre, post);
  require_place_for_head(pair.post);
  std::vector<ChangedTensor> changed = changed_tensors(pair.post.meta->info(), options);
  if (options.restore.alpha == 0) changed.clear();  // bit for bit the fine-tune
  require_equal_heads(pair.post, changed);

  PendingFolder pending(out);
  Copying copying(post.folder, pending.path(), written_bytes(pair.post, changed));
  Restoration restoration(pair, pending.path(), options);
  restoration.write_all(changed);
  restoration.merge_adapter();
  copying.finish();
  RestoreSummary summary = restoration.finish();
  summary.is_merged = post.has_adapter();
  write_manifest(pending.path(), pre, post, options, summary);
  pending.commit(stop_if_interrupted);
  return summary;
}

}  // namespace niah::models
