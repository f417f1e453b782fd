#include "models/surgery/restore_adapter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/pending_folder.h"
#include "models/checkpoint/adapter_config.h"
#include "models/surgery/restoration.h"
#include "models/surgery/restore.h"
#include "models/surgery/stored_tensor.h"
#include "models/weights.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMerge = "give --merge to write a merged checkpoint";

/// Removes an adapter's changes to the rows that are restored.
class AdapterRestoration {
 public:
  explicit AdapterRestoration(const CheckpointPair& pair)
      : pair_(pair), adapter_(*pair.post.checkpoint->adapter()), name_before_(pair) {}

  void remove(const std::vector<ChangedTensor>& changed) {
    std::vector<ChangedTensor> done;
    for (const ChangedTensor& tensor : changed) {
      stop_if_interrupted();
      const std::size_t before = summary_.tensors.size();
      restore(tensor.name, tensor.rows);
      if (summary_.tensors.size() > before) done.push_back(tensor);
    }
    summary_.layers = layers_of(pair_.post.meta->info(), done);
  }

  RestoreSummary finish() {
    if (summary_.tensors.empty())
      throw UsageError(fmt::format(
          "restoring: the adapter {} does not change what would be put back: there is nothing to "
          "restore",
          adapter_.folder().string()));
    if (dropped_.size() == adapter_.file().tensors().size())
      throw UsageError(fmt::format(
          "restoring: the adapter {} changes nothing but what is put back: restored, it is its "
          "base {}; use that, or {}",
          adapter_.folder().string(), pair_.post.checkpoint->folder().string(), kMerge));
    return std::move(summary_);
  }

  /// Writes the adapter's file without the removed changes.
  void write(const fs::path& path) const {
    std::vector<TensorBytes> tensors;
    for (const TensorInfo& tensor : adapter_.file().tensors()) {
      if (dropped_.contains(&tensor)) continue;
      const auto changed = rewritten_.find(&tensor);
      std::span<const std::byte> bytes = adapter_.file().bytes(tensor);
      if (changed != rewritten_.end())
        bytes = {static_cast<const std::byte*>(changed->second.const_data_ptr()),
                 changed->second.nbytes()};
      tensors.push_back({tensor.name, tensor.dtype, tensor.shape, bytes});
    }
    write_safetensors(path, tensors, adapter_.file().metadata());
  }

 private:
  void restore(const std::string& name, const std::vector<PartRows>& rows) {
    const StoredTensor old = read_stored(pair_.pre, name_before_(name));
    const at::Tensor base =
        read_base_tensor(pair_.post.checkpoint, name).to(old.values.scalar_type());
    for (const PartRows& part : rows)
      if (!at::equal(view_rows(old.values, part.rows), view_rows(base, part.rows)))
        throw UsageError(fmt::format(
            "restoring: '{}' of {} is not what the adapter's base {} has, and an adapter can only "
            "leave its base as it is; {}",
            name, pair_.pre.checkpoint->path().text(), pair_.post.checkpoint->folder().string(),
            kMerge));
    const TensorChange* change = adapter_.find(name);
    if (change == nullptr) return;
    std::int64_t count = 0;
    for (const PartRows& part : rows) count += part.rows.count();
    if (count == base.size(0))
      for (const TensorInfo* tensor : change->tensors()) dropped_.insert(tensor);
    else
      restore_rows_of(name, *change, base, rows);
    note(name, old, base, rows);
  }

  /// Restores some rows of a tensor whose other rows stay changed.
  void restore_rows_of(const std::string& name, const TensorChange& change, const at::Tensor& base,
                       const std::vector<PartRows>& rows) {
    if (change.magnitude != nullptr)
      throw UsageError(fmt::format(
          "restoring: only some rows of '{}' go back, and the adapter brings every row to a length "
          "of its own (DoRA); {}",
          name, kMerge));
    const TensorInfo& info = change.replacement != nullptr ? *change.replacement : *change.b;
    at::Tensor values = view_tensor(info, adapter_.file().bytes(info), nullptr).clone();
    for (const PartRows& part : rows) {
      at::Tensor own = view_rows(values, part.rows);
      if (change.replacement == nullptr) {
        own.zero_();
        continue;
      }
      const at::Tensor wanted = view_rows(base, part.rows);
      own.copy_(wanted);
      if (!at::equal(own.to(wanted.scalar_type()), wanted))
        throw UsageError(
            fmt::format("restoring: the base's rows of '{}' cannot be kept in the {} "
                        "of the adapter's; {}",
                        name, dtype_name(info.dtype), kMerge));
    }
    rewritten_.insert_or_assign(&info, values);
  }

  void note(const std::string& name, const StoredTensor& old, const at::Tensor& base,
            const std::vector<PartRows>& rows) {
    const StoredTensor now = read_stored(pair_.post, name);
    at::Tensor restored = now.values.clone();
    for (const PartRows& part : rows)
      view_rows(restored, part.rows).copy_(view_rows(base, part.rows));
    const double size = norm_of(now.values), change = norm_of(restored - now.values);
    summary_.tensors.push_back({name, adapter_.file().path().filename().string(),
                                size > 0 ? change / size : change, old.sha256, now.sha256});
  }

  const CheckpointPair& pair_;
  const Adapter& adapter_;
  NamesBefore name_before_;
  std::set<const TensorInfo*> dropped_;
  std::map<const TensorInfo*, at::Tensor> rewritten_;
  RestoreSummary summary_;
};

void require_copies(const RestoreOptions& options) {
  if (makes_new_weights(options.method))
    throw UsageError(
        fmt::format("restoring: {} makes weights that an adapter on this base cannot hold; {}",
                    restore_method_name(options.method), kMerge));
  if (options.alpha != 1)
    throw UsageError(
        fmt::format("restoring: alpha {} makes weights between base and fine-tune, and a restored "
                    "adapter leaves its base as it is; {}",
                    options.alpha, kMerge));
}

}  // namespace

RestoreSummary restore_adapter(const CheckpointPath& pre, const CheckpointPath& post,
                               const fs::path& out, const RestoreCheckpointOptions& options) {
  check(post.has_adapter(), "a checkpoint with an adapter");
  require_restorable(pre, post, out, options.restore);
  require_copies(options.restore);
  const CheckpointPair pair = open_pair(pre, post);
  AdapterRestoration restoration(pair);
  restoration.remove(changed_tensors(pair.post.meta->info(), options));
  RestoreSummary summary = restoration.finish();

  PendingFolder pending(out);
  const std::string weights = pair.post.checkpoint->adapter()->file().path().filename().string();
  for (const std::string& name : prepare_copies(post.adapter, pending.path()))
    if (name != weights && name != kAdapterConfig)
      copy_bytes(post.adapter / name, pending.path() / name, {}, stop_if_interrupted);
  restoration.write(pending.path() / weights);
  const std::string config = read_file(post.adapter / kAdapterConfig, "restoring");
  const std::string written = with_no_change_where_lacking(config);
  summary.has_new_initialisation = written != config;
  write_file(pending.path() / kAdapterConfig, written);
  write_manifest(pending.path(), pre, post, options, summary);
  pending.commit(stop_if_interrupted);
  return summary;
}

}  // namespace niah::models
