#include "models/surgery/restore_checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/base/descriptor.h"
#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/pending.h"
#include "harness/base/sha256.h"
#include "harness/version.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/weights.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

/// A file that exists, to change in places.
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

constexpr const char* kManifest = "restore.json";

/// A tensor's values, and what its bytes hash to.
struct Stored {
  at::Tensor values;
  std::string sha256;
};

Stored read_tensor(const OpenCheckpoint& from, const std::string& name) {
  const auto bytes = from.checkpoint->bytes(*from.checkpoint->find(name));
  const std::string sha256 =
      sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return {read_values(from, name), sha256};
}

/// |a|_F by a dot product, which is one pass at the memory's speed.
double norm_of(const at::Tensor& a) {
  const at::Tensor flat = a.reshape({-1});
  return std::sqrt(at::dot(flat, flat).item<double>());
}

/// Whether the method makes a query or a key that neither checkpoint has.
bool makes_new_weights(RestoreMethod method) {
  return method == RestoreMethod::kQkPro || method == RestoreMethod::kQkProExact;
}

/// The q_norm and k_norm that go with what the method restores.
std::vector<PartRows> norm_rows(const MixerInfo& mixer, RestoreMethod method) {
  std::vector<PartRows> rows;
  if (method == RestoreMethod::kV) return rows;
  if (method != RestoreMethod::kK) rows = mixer.of(Part::kQueryNorm);
  if (method != RestoreMethod::kQ)
    for (PartRows& norm : mixer.of(Part::kKeyNorm)) rows.push_back(std::move(norm));
  return rows;
}

/// The rows of a layer that the options write.
std::vector<PartRows> changed_rows(const MixerInfo& mixer,
                                   const RestoreCheckpointOptions& options) {
  std::vector<PartRows> rows;
  if (options.norms) rows = norm_rows(mixer, options.restore.method);
  if (options.gates)
    for (PartRows& gate : mixer.of(Part::kGate))
      if (options.biases || !gate.is_bias) rows.push_back(std::move(gate));
  for (PartRows& part : restored_rows(mixer, options.restore.method))
    if (options.biases || !part.is_bias) rows.push_back(std::move(part));
  return rows;
}

/// Their tensors, each once.
std::vector<std::string> tensors_of(const std::vector<PartRows>& rows) {
  std::vector<std::string> names;
  for (const PartRows& part : rows)
    if (std::find(names.begin(), names.end(), part.rows.tensor) == names.end())
      names.push_back(part.rows.tensor);
  return names;
}

/// Squares of |R - R_before| and |R_before| over a layer's heads, R = W_Q^T W_K, through d_head x
/// d_head Gram matrices: <A^T B, C^T D> = <A C^T, B D^T>.
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
  for (std::int64_t head = 0; head < mixer.kv_heads; ++head) {  // one at a time: fp64 is large
    const at::Tensor query = few(query_heads(restored, mixer), head * share, share);
    const at::Tensor old_query = few(query_heads(before, mixer), head * share, share);
    const at::Tensor key = few(key_heads(restored, mixer), head, 1);
    const at::Tensor old_key = few(key_heads(before, mixer), head, 1);
    // R - R_before = (W_Q - old)^T W_K + old^T (W_K - old): no small difference of large numbers.
    const at::Tensor dq = query - old_query, dk = key - old_key;
    change += inner(dq, key, dq, key) + 2 * inner(dq, key, old_query, dk) +
              inner(old_query, dk, old_query, dk);
    size += inner(old_query, old_key, old_query, old_key);
  }
  return {std::max(0.0, change), size};
}

/// Everything below `from` by its path from there, sub-folders and dot files included; the folders
/// are made in `to`, and the files in their full length, without their bytes.
std::vector<std::string> prepare_copies(const fs::path& from, const fs::path& to) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const fs::path name = entry.path().lexically_relative(from);
    if (name == kManifest) continue;  // written anew
    if (entry.is_symlink() && entry.is_directory()) {
      // Followed, it could lead round in a circle.
      fs::create_directory_symlink(fs::canonical(entry.path()), to / name);
    } else if (entry.is_directory()) {
      fs::create_directory(to / name);
    } else if (entry.is_regular_file()) {
      create_file(to / name, entry.file_size());
      names.push_back(name.string());
    } else {
      throw DataError(fmt::format(
          "restoring: {} is neither a file nor a folder, so it cannot be copied; remove "
          "it first",
          entry.path().string()));
    }
  }
  return names;
}

/// Copies a checkpoint's files but for the bytes that will be written anew, beside the caller.
class Copying {
 public:
  /// `written`: for each file name, the ranges to leave out. The files are there, in full length,
  /// when this returns.
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
  ~Copying() { stop_ = true; }  // the caller failed: no need to go on
  Copying(const Copying&) = delete;
  Copying& operator=(const Copying&) = delete;

  /// Waits for the end; throws what went wrong.
  void finish() {
    thread_.join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> stop_ = false;
  std::exception_ptr error_;
  std::jthread thread_;
};

/// Restores the layers in the copy at `folder`.
class Restoration {
 public:
  Restoration(const OpenCheckpoint& pre, const OpenCheckpoint& post, const fs::path& folder,
              const RestoreCheckpointOptions& options)
      : pre_(pre),
        post_(post),
        folder_(folder),
        options_(options),
        names_before_(counterparts(post.meta->info(), pre.meta->info())) {}

  void layer(std::int64_t index) {
    const MixerInfo& mixer = post_.meta->info().mixers[static_cast<std::size_t>(index)];
    const std::vector<PartRows> rows = changed_rows(mixer, options_);
    if (makes_new_weights(options_.restore.method))
      restore(mixer, rows);
    else
      for (const std::string& name : tensors_of(rows)) {  // one at a time: less memory
        std::vector<PartRows> own;
        std::copy_if(rows.begin(), rows.end(), std::back_inserter(own),
                     [&](const PartRows& part) { return part.rows.tensor == name; });
        restore(mixer, own);
      }
    summary_.layers.push_back(index);
  }

  RestoreSummary finish() {
    if (routing_size_ > 0) summary_.residual = std::sqrt(routing_change_ / routing_size_);
    return std::move(summary_);
  }

 private:
  /// Writes the tensors of `rows`, those rows restored.
  void restore(const MixerInfo& mixer, const std::vector<PartRows>& rows) {
    std::map<std::string, std::pair<Stored, Stored>> stored;  // before and after the fine-tune
    WeightMap before, after;
    for (const std::string& name : tensors_of(rows)) {
      const auto& [old, now] =
          stored[name] = {read_tensor(pre_, name_before(name)), read_tensor(post_, name)};
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
  /// What the checkpoint before the fine-tune calls a tensor.
  const std::string& name_before(const std::string& name) const {
    const auto found = names_before_.find(name);
    if (found != names_before_.end()) return found->second;
    throw DataError(fmt::format(
        "restoring: tensor '{}' has no counterpart in {}, which is laid out in another way", name,
        pre_.checkpoint->folder().string()));
  }
  void write(const std::string& name, const at::Tensor& restored, const Stored& old,
             const Stored& now) {
    const at::Tensor& post = now.values;
    const TensorInfo& info = *post_.checkpoint->find(name);
    const at::Tensor stored = restored.to(scalar_type(info.dtype)).contiguous();
    if (at::isfinite(restored).all().item<bool>() && !at::isfinite(stored).all().item<bool>())
      throw DataError(fmt::format(
          "restoring: tensor '{}' has numbers that are too large for the {} in which {} stores it; "
          "convert that checkpoint to bf16 or fp32 first",
          name, dtype_name(info.dtype), post_.checkpoint->file_of(name).string()));
    const std::string file = post_.checkpoint->file_of(name).filename().string();
    patches_.try_emplace(file, folder_ / file)
        .first->second.write(post_.checkpoint->offset(info),
                             static_cast<const char*>(stored.const_data_ptr()), stored.nbytes());
    const double size = norm_of(post);
    const double change = norm_of(stored.to(post.scalar_type()) - post);
    summary_.tensors.push_back(
        {name, file, size > 0 ? change / size : change, old.sha256, now.sha256});
  }

  const OpenCheckpoint& pre_;
  const OpenCheckpoint& post_;
  fs::path folder_;
  const RestoreCheckpointOptions& options_;
  std::map<std::string, std::string> names_before_;
  std::map<std::string, Patch> patches_;  // by file
  RestoreSummary summary_;
  double routing_change_ = 0, routing_size_ = 0;
};

std::string describe_restoration(const fs::path& pre, const fs::path& post,
                                 const RestoreCheckpointOptions& options,
                                 const RestoreSummary& summary) {
  nlohmann::ordered_json json = {{"niah_version", kVersion},
                                 {"method", restore_method_name(options.restore.method)},
                                 {"pre", normal_path(pre).filename().string()},
                                 {"post", normal_path(post).filename().string()},
                                 {"linear", options.linear},
                                 {"alpha", options.restore.alpha},
                                 {"biases", options.biases},
                                 {"norms", options.norms},
                                 {"gates", options.gates},
                                 {"layers", summary.layers}};
  if (options.restore.method == RestoreMethod::kQkPro) json["lambda"] = options.restore.lambda;
  if (summary.residual) json["residual"] = *summary.residual;
  for (const RestoredTensor& tensor : summary.tensors)
    json["tensors"].push_back({{"name", tensor.name},
                               {"file", tensor.file},
                               {"relative_change", tensor.relative_change},
                               {"pre_sha256", tensor.pre_sha256},
                               {"post_sha256", tensor.post_sha256}});
  return json.dump(2) + "\n";
}

/// A folder inside of a checkpoint would be copied into itself.
void require_outside(const fs::path& out, const fs::path& checkpoint) {
  const std::string inside = fs::weakly_canonical(normal_path(out)).string() + "/";
  const std::string around = fs::weakly_canonical(normal_path(checkpoint)).string() + "/";
  if (inside.starts_with(around))
    throw UsageError(fmt::format("restoring: {} lies in the checkpoint {}; choose another --out",
                                 out.string(), checkpoint.string()));
}

}  // namespace

RestoreSummary restore_checkpoint(const fs::path& pre, const fs::path& post, const fs::path& out,
                                  const RestoreCheckpointOptions& options) {
  require_own_folder(normal_path(out), {}, "restoring");
  require_outside(out, pre);
  require_outside(out, post);
  if (!(options.restore.alpha >= 0 && options.restore.alpha <= 1))
    throw UsageError(
        fmt::format("restoring: alpha {}: between 0 and 1 was expected", options.restore.alpha));
  const auto [before, after] = open_pair(pre, post);
  const ModelInfo& info = after.meta->info();
  const std::vector<std::int64_t> layers = choose_layers(info, options.restore, options.linear);
  std::map<std::string, std::vector<ByteRange>> written;
  for (const std::int64_t index : layers)
    for (const std::string& name :
         tensors_of(changed_rows(info.mixers[static_cast<std::size_t>(index)], options))) {
      const TensorInfo& tensor = *after.checkpoint->find(name);
      written[after.checkpoint->file_of(name).filename().string()].push_back(
          {after.checkpoint->offset(tensor), after.checkpoint->bytes(tensor).size()});
    }

  PendingFolder pending(out);
  Copying copying(post, pending.path(), std::move(written));
  Restoration restoration(before, after, pending.path(), options);
  for (const std::int64_t index : layers) {
    stop_if_interrupted();
    restoration.layer(index);
  }
  copying.finish();
  RestoreSummary summary = restoration.finish();
  write_file(pending.path() / kManifest, describe_restoration(pre, post, options, summary));
  for (const auto& entry : fs::recursive_directory_iterator(pending.path()))
    if (entry.is_regular_file()) summary.bytes += static_cast<std::int64_t>(entry.file_size());
  pending.commit(stop_if_interrupted);
  return summary;
}

}  // namespace niah::models
