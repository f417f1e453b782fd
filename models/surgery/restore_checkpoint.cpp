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

bool keeps_routing(RestoreMethod method) {
  return method == RestoreMethod::kQkPro || method == RestoreMethod::kQkProExact;
}

std::vector<SoftmaxLayer> layers_to_restore(const CausalLM& model,
                                            const RestoreCheckpointOptions& options) {
  std::vector<SoftmaxLayer> layers = model.softmax_layers();
  if (options.linear) {
    if (keeps_routing(options.restore.method))
      throw UsageError(
          "restoring: qk-pro is about softmax(Q K^T); linear layers can only be copied (qk, q, k, "
          "v)");
    for (SoftmaxLayer& layer : linear_layers(model)) layers.push_back(std::move(layer));
    std::sort(layers.begin(), layers.end(),
              [](const SoftmaxLayer& a, const SoftmaxLayer& b) { return a.index < b.index; });
  }
  return choose_layers(layers, options.restore);
}

/// Drops what the options leave as it is.
SoftmaxLayer trimmed(SoftmaxLayer layer, const RestoreCheckpointOptions& options) {
  if (options.biases) return layer;
  for (auto* names : {&layer.query, &layer.key, &layer.value})
    std::erase_if(*names, [](const std::string& name) { return name.ends_with(".bias"); });
  return layer;
}

std::vector<std::string> norm_names(const OpenCheckpoint& post, const SoftmaxLayer& layer,
                                    const RestoreCheckpointOptions& options) {
  std::vector<std::string> names;
  if (!options.norms || options.restore.method == RestoreMethod::kV) return names;
  for (const char* part : {"q_norm", "k_norm"}) {
    const bool query = part[0] == 'q';
    if (query && options.restore.method == RestoreMethod::kK) continue;
    if (!query && options.restore.method == RestoreMethod::kQ) continue;
    std::string name = fmt::format("model.layers.{}.self_attn.{}.weight", layer.index, part);
    if (post.checkpoint->find(name) != nullptr) names.push_back(std::move(name));
  }
  return names;
}

/// The tensors of a layer that the method writes.
std::vector<std::string> changed_names(const OpenCheckpoint& post, const SoftmaxLayer& layer,
                                       const RestoreCheckpointOptions& options) {
  std::vector<std::string> names = norm_names(post, layer, options);
  for (std::string& name : restored_names(layer, options.restore.method))
    names.push_back(std::move(name));
  return names;
}

/// Squares of |R - R_before| and |R_before| over a layer's heads, R = W_Q^T W_K, through d_head x
/// d_head Gram matrices: <A^T B, C^T D> = <A C^T, B D^T>.
std::pair<double, double> routing_change(const WeightMap& restored, const WeightMap& before,
                                         const SoftmaxLayer& layer) {
  const std::int64_t share = layer.heads / layer.kv_heads;
  const auto inner = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& c,
                        const at::Tensor& d) {
    return (at::matmul(a, c.transpose(-2, -1)) * at::matmul(b, d.transpose(-2, -1)))
        .sum()
        .item<double>();
  };
  double change = 0, size = 0;
  for (std::int64_t head = 0; head < layer.kv_heads; ++head) {  // one at a time: fp64 is large
    const auto queries = [&](const WeightMap& weights) {
      return part_of_heads(weights.at(layer.query[0]), head * share, share, layer);
    };
    const auto keys = [&](const WeightMap& weights) {
      return part_of_heads(weights.at(layer.key[0]), head, 1, layer);
    };
    const at::Tensor query = queries(restored), old_query = queries(before);
    const at::Tensor key = keys(restored), old_key = keys(before);
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
      : pre_(pre), post_(post), folder_(folder), options_(options) {}

  void layer(const SoftmaxLayer& layer) {
    if (keeps_routing(options_.restore.method))
      solve(layer);
    else
      for (const std::string& name : changed_names(post_, layer, options_)) copy(name);
    summary_.layers.push_back(layer.index);
  }

  RestoreSummary finish() {
    if (routing_size_ > 0) summary_.residual = std::sqrt(routing_change_ / routing_size_);
    return std::move(summary_);
  }

 private:
  /// One tensor as it was before.
  void copy(const std::string& name) {
    const Stored old = read_tensor(pre_, name), now = read_tensor(post_, name);
    write(name, interpolated(now.values, old.values, options_.restore.alpha), old, now);
  }
  /// What needs all of a layer's projections at once.
  void solve(const SoftmaxLayer& layer) {
    std::map<std::string, std::pair<Stored, Stored>> stored;  // before and after the fine-tune
    WeightMap before, after;
    for (const std::string& name : changed_names(post_, layer, options_)) {
      const auto& [old, now] = stored[name] = {read_tensor(pre_, name), read_tensor(post_, name)};
      before.emplace(name, old.values);
      after.emplace(name, now.values);
    }
    WeightMap restored = after;
    restore_layer(before, restored, layer, options_.restore);
    for (const std::string& name : norm_names(post_, layer, options_))
      restored[name] = interpolated(after.at(name), before.at(name), options_.restore.alpha);
    const auto [change, size] = routing_change(restored, before, layer);
    routing_change_ += change;
    routing_size_ += size;
    for (const auto& [name, sides] : stored)
      write(name, restored.at(name), sides.first, sides.second);
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
  std::vector<SoftmaxLayer> layers = layers_to_restore(*after.meta, options);
  std::map<std::string, std::vector<ByteRange>> written;
  for (SoftmaxLayer& layer : layers) {
    layer = trimmed(std::move(layer), options);
    for (const std::string& name : changed_names(after, layer, options)) {
      const TensorInfo& info = *after.checkpoint->find(name);
      written[after.checkpoint->file_of(name).filename().string()].push_back(
          {after.checkpoint->offset(info), after.checkpoint->bytes(info).size()});
    }
  }

  PendingFolder pending(out);
  Copying copying(post, pending.path(), std::move(written));
  Restoration restoration(before, after, pending.path(), options);
  for (const SoftmaxLayer& layer : layers) {
    stop_if_interrupted();
    restoration.layer(layer);
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
