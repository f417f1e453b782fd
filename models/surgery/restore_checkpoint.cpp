#include "models/surgery/restore_checkpoint.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <exception>
#include <map>
#include <set>
#include <thread>

#include "harness/base/descriptor.h"
#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/pending_folder.h"
#include "models/registry.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/restoration.h"
#include "models/weights.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

/// An existing file in which byte ranges are overwritten.
class Patch {
 public:
  explicit Patch(const fs::path& path) : path_(path), fd_(::open(path.c_str(), O_WRONLY)) {
    if (!fd_.is_open()) fail();
  }

  void write(std::uint64_t offset, const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t count = ::pwrite(fd_.get(), data, size, static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail();
      offset += static_cast<std::uint64_t>(count);
      data += count;
      size -= static_cast<std::size_t>(count);
    }
  }

 private:
  [[noreturn]] void fail() const {
    throw DataError(fmt::format("writing {}: {}", path_.string(), system_reason()));
  }
  fs::path path_;
  Descriptor fd_;
};

bool all_finite(const at::Tensor& values) { return at::isfinite(values).all().item<bool>(); }

/// |R - R_before|^2 and |R_before|^2 with R = W_Q^T W_K, summed over a layer's heads. Only needs
/// d_head x d_head matrices, because <A^T B, C^T D> = <A C^T, B D^T>.
std::pair<double, double> routing_change(const WeightMap& restored, const WeightMap& before,
                                         const MixerInfo& mixer) {
  const std::int64_t share = mixer.heads / mixer.kv_heads;
  const auto inner = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& c,
                        const at::Tensor& d) {
    return (at::matmul(a, c.transpose(-2, -1)) * at::matmul(b, d.transpose(-2, -1)))
        .sum()
        .item<double>();
  };
  const auto few = [](const at::Tensor& heads, std::int64_t first, std::int64_t count) {
    return heads.narrow(0, first, count).to(at::kDouble);
  };
  double change = 0, size = 0;
  for (std::int64_t head = 0; head < mixer.kv_heads; ++head) {  // one at a time to save memory
    const at::Tensor query = few(query_heads(restored, mixer), head * share, share);
    const at::Tensor old_query = few(query_heads(before, mixer), head * share, share);
    const at::Tensor key = few(key_heads(restored, mixer), head, 1);
    const at::Tensor old_key = few(key_heads(before, mixer), head, 1);
    // R - R_before = (W_Q - old)^T W_K + old^T (W_K - old) avoids cancellation.
    const at::Tensor dq = query - old_query, dk = key - old_key;
    change += inner(dq, key, dq, key) + 2 * inner(dq, key, old_query, dk) +
              inner(old_query, dk, old_query, dk);
    size += inner(old_query, old_key, old_query, old_key);
  }
  return {std::max(0.0, change), size};
}

/// Copies a checkpoint's files on a thread, except the bytes that the caller writes.
class Copying {
 public:
  /// `written`: for each file name, the ranges to leave out. When this returns, all files exist in
  /// their full length.
  Copying(const fs::path& from, const fs::path& to,
          std::map<std::string, std::vector<ByteRange>> written) {
    const std::vector<std::string> names = prepare_copies(from, to);
    thread_ = std::jthread([this, from, to, names, written = std::move(written)]() mutable {
      try {
        for (const std::string& name : names) {
          auto& skip = written[name];
          std::sort(skip.begin(), skip.end(),
                    [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
          copy_bytes(from / name, to / name, skip, [this] {
            stop_if_interrupted();
            if (stop_) throw Interrupted("restoring: stopped");
          });
        }
      } catch (...) {
        error_ = std::current_exception();
      }
    });
  }
  ~Copying() { stop_ = true; }  // if finish() was not called, the caller has failed
  Copying(const Copying&) = delete;
  Copying& operator=(const Copying&) = delete;

  /// Waits until everything is copied; rethrows an exception of the thread.
  void finish() {
    thread_.join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> stop_ = false;
  std::exception_ptr error_;
  std::jthread thread_;
};

/// The output head that is stored beside the embedding `name` and equal to it; nullptr if there is
/// none.
const TensorInfo* tied_head(const OpenCheckpoint& from, const std::string& name) {
  const ModelInfo& info = from.meta->info();
  const bool is_embedding = std::ranges::any_of(info.others, [&](const OtherPart& other) {
    return other.rows.part == Part::kEmbedding && other.rows.rows.tensor == name;
  });
  return is_embedding && !info.tied_head.empty() ? from.checkpoint->find(info.tied_head) : nullptr;
}

/// Writes restored layers into the copy of the checkpoint at `folder`.
class Restoration {
 public:
  Restoration(const CheckpointPair& pair, const fs::path& folder,
              const RestoreCheckpointOptions& options)
      : pre_(pair.pre), post_(pair.post), folder_(folder), options_(options), name_before_(pair) {}

  /// Copies tensors one at a time to save memory. New weights need a layer's W_Q and W_K together.
  void write_all(const std::vector<ChangedTensor>& changed) {
    const ModelInfo& info = post_.meta->info();
    summary_.layers = layers_of(info, changed);
    if (!makes_new_weights(options_.restore.method)) {
      for (const ChangedTensor& tensor : changed) {
        stop_if_interrupted();
        restore(MixerInfo(), tensor.rows);
      }
      return;
    }
    for (const std::int64_t index : summary_.layers) {
      stop_if_interrupted();
      const MixerInfo& mixer = info.mixers[static_cast<std::size_t>(index)];
      restore(mixer, changed_rows(mixer, options_));
    }
  }

  /// Writes all tensors that the adapter changes and no other function wrote.
  void merge_adapter() {
    const Adapter* adapter = post_.checkpoint->adapter();
    if (adapter == nullptr) return;
    const std::set<std::string> done = written();
    for (const auto& [name, change] : adapter->changes()) {
      if (done.contains(name)) continue;
      stop_if_interrupted();
      const at::Tensor merged = read_tensor(post_.checkpoint, name).contiguous();
      require_finite(name, merged);
      put(name, merged);
      release_tensor(*post_.checkpoint, name);
    }
  }

  RestoreSummary finish() {
    if (routing_size_ > 0) summary_.residual = std::sqrt(routing_change_ / routing_size_);
    return std::move(summary_);
  }

 private:
  std::set<std::string> written() const {
    std::set<std::string> names;
    for (const RestoredTensor& tensor : summary_.tensors) names.insert(tensor.name);
    return names;
  }

  /// Writes the tensors that `rows` belong to, with those rows restored.
  void restore(const MixerInfo& mixer, const std::vector<PartRows>& rows) {
    std::map<std::string, std::pair<StoredTensor, StoredTensor>> stored;  // before and after
    WeightMap before, after;
    for (const std::string& name : tensors_of(rows)) {
      const auto& [old, now] =
          stored[name] = {read_stored(pre_, name_before_(name)), read_stored(post_, name)};
      before.emplace(name, old.values);
      after.emplace(name, now.values);
    }
    restore_rows(before, after, mixer, rows, options_.restore);
    if (makes_new_weights(options_.restore.method)) {
      const auto [change, size] = routing_change(after, before, mixer);
      routing_change_ += change;
      routing_size_ += size;
    }
    for (const std::string& name : tensors_of(rows))
      write(name, after.at(name), stored.at(name).first, stored.at(name).second);
  }
  void write(const std::string& name, const at::Tensor& restored, const StoredTensor& old,
             const StoredTensor& now) {
    const at::Tensor& post = now.values;
    const TensorInfo& info = *post_.checkpoint->find(name);
    const at::Tensor stored = restored.to(scalar_type(info.dtype)).contiguous();
    const bool is_finite = all_finite(restored);
    if (!is_finite && all_finite(post))
      throw DataError(fmt::format(
          "restoring: tensor '{}' would hold numbers that are not finite, and in {} all are: look "
          "for NaN and infinities in that tensor of {}",
          name, post_.checkpoint->path().text(), pre_.checkpoint->path().text()));
    if (is_finite && !all_finite(stored))
      throw DataError(fmt::format(
          "restoring: tensor '{}' has numbers that are too large for the {} in which {} stores it; "
          "convert that checkpoint to bf16 or fp32 first",
          name, dtype_name(info.dtype), post_.checkpoint->file_of(name).string()));
    require_finite(name, stored);
    const std::string file = put(name, stored);
    if (const TensorInfo* head = tied_head(post_, name))
      put(head->name, stored.to(scalar_type(head->dtype)).contiguous());
    const double size = norm_of(post);
    const double change = norm_of(stored.to(post.scalar_type()) - post);
    summary_.tensors.push_back(
        {name, file, size > 0 ? change / size : change, old.sha256, now.sha256});
  }

  /// An adapter may contain NaN, or lead to values too large for the base's element type.
  void require_finite(const std::string& name, const at::Tensor& stored) const {
    if (!post_.checkpoint->is_adapted(name) || all_finite(stored)) return;
    throw DataError(fmt::format(
        "restoring: tensor '{}' of {} with the adapter {} has numbers that are not finite as {}; "
        "look for NaN and very large numbers in the adapter, or convert the base to fp32 first",
        name, post_.checkpoint->folder().string(), post_.checkpoint->adapter()->folder().string(),
        dtype_name(post_.checkpoint->find(name)->dtype)));
  }

  /// Writes a tensor to its place in the copy; returns the name of its file.
  std::string put(const std::string& name, const at::Tensor& stored) {
    const std::string file = post_.checkpoint->file_of(name).filename().string();
    patches_.try_emplace(file, folder_ / file)
        .first->second.write(post_.checkpoint->offset(*post_.checkpoint->find(name)),
                             static_cast<const char*>(stored.const_data_ptr()), stored.nbytes());
    return file;
  }

  const OpenCheckpoint& pre_;
  const OpenCheckpoint& post_;
  fs::path folder_;
  const RestoreCheckpointOptions& options_;
  NamesBefore name_before_;
  std::map<std::string, Patch> patches_;  // by file
  RestoreSummary summary_;
  double routing_change_ = 0, routing_size_ = 0;
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

/// The byte ranges of each file of `post` that are overwritten.
std::map<std::string, std::vector<ByteRange>> written_bytes(
    const OpenCheckpoint& post, const std::vector<ChangedTensor>& changed) {
  std::set<std::string> names;
  for (const ChangedTensor& tensor : changed) {
    names.insert(tensor.name);
    if (const TensorInfo* head = tied_head(post, tensor.name)) names.insert(head->name);
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
  const CheckpointPair pair = open_pair(pre, post);
  require_place_for_head(pair.post);
  std::vector<ChangedTensor> changed = changed_tensors(pair.post.meta->info(), options);
  if (options.restore.alpha == 0) changed.clear();  // bit for bit the fine-tune

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
