#include "models/surgery/restore_checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/sha256.h"
#include "harness/version.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/weights.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

/// A folder that is made beside its final place and goes away unless it gets there.
class PendingFolder {
 public:
  explicit PendingFolder(const fs::path& final_place)
      : final_(final_place), path_(final_place.string() + fmt::format(".tmp{}", ::getpid())) {
    ensure_writable_folder(path_);
  }
  ~PendingFolder() {
    std::error_code ignored;
    if (!done_) fs::remove_all(path_, ignored);
  }
  PendingFolder(const PendingFolder&) = delete;
  PendingFolder& operator=(const PendingFolder&) = delete;

  const fs::path& path() const { return path_; }
  void put_in_place() {
    std::error_code error;
    fs::rename(path_, final_, error);
    if (error) throw DataError(fmt::format("writing {}: {}", final_.string(), error.message()));
    done_ = true;
  }

 private:
  fs::path final_, path_;
  bool done_ = false;
};

/// A file that exists, to change in places.
class Patch {
 public:
  explicit Patch(const fs::path& path) : path_(path), fd_(::open(path.c_str(), O_WRONLY)) {
    if (fd_ < 0) fail();
  }
  ~Patch() {
    if (fd_ >= 0) ::close(fd_);
  }
  Patch(const Patch&) = delete;
  Patch& operator=(const Patch&) = delete;

  void write(std::uint64_t offset, const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t count = ::pwrite(fd_, data, size, static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail();
      offset += static_cast<std::uint64_t>(count);
      data += count;
      size -= static_cast<std::size_t>(count);
    }
  }
  void sync() {
    if (::fsync(fd_) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw DataError(fmt::format("writing {}: {}", path_.string(), std::strerror(errno)));
  }
  fs::path path_;
  int fd_;
};

/// A tensor in fp32, and what its bytes hash to.
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

/// Squares of |R - R_before| and |R_before| over a layer's heads, R = W_Q^T W_K, through d_head x
/// d_head Gram matrices: <A^T B, C^T D> = <A C^T, B D^T>.
std::pair<double, double> routing_change(const WeightMap& restored, const WeightMap& before,
                                         const SoftmaxLayer& layer) {
  const auto heads = [&](const WeightMap& weights, const std::string& name, std::int64_t count) {
    return weights.at(name)
        .to(at::kDouble)
        .view({count, layer.head_dim, -1})
        .repeat_interleave(layer.heads / count, 0);  // [H, D, d]
  };
  const at::Tensor query = heads(restored, layer.query[0], layer.heads);
  const at::Tensor old_query = heads(before, layer.query[0], layer.heads);
  const at::Tensor key = heads(restored, layer.key[0], layer.kv_heads);
  const at::Tensor old_key = heads(before, layer.key[0], layer.kv_heads);
  const auto inner = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& c,
                        const at::Tensor& d) {
    return (at::matmul(a, c.transpose(1, 2)) * at::matmul(b, d.transpose(1, 2)))
        .sum()
        .item<double>();
  };
  // R - R_before = (W_Q - old)^T W_K + old^T (W_K - old): no small difference of large numbers.
  const at::Tensor dq = query - old_query, dk = key - old_key;
  const double change = inner(dq, key, dq, key) + 2 * inner(dq, key, old_query, dk) +
                        inner(old_query, dk, old_query, dk);
  return {std::max(0.0, change), inner(old_query, old_key, old_query, old_key)};
}

void copy_files(const fs::path& from, const fs::path& to) {
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name.starts_with('.') || name == "restore.json") continue;
    copy_file(entry.path(), to / name, stop_if_interrupted);
  }
}

/// Restores the layers in the copy at `folder`.
class Restoration {
 public:
  Restoration(const OpenCheckpoint& pre, const OpenCheckpoint& post, const fs::path& folder,
              const RestoreCheckpointOptions& options)
      : pre_(pre), post_(post), folder_(folder), options_(options) {}

  void layer(const SoftmaxLayer& whole) {
    const SoftmaxLayer layer = trimmed(whole, options_);
    const std::vector<std::string> norms = norm_names(post_, layer, options_);
    std::vector<std::string> names = norms;
    for (const auto* group : {&layer.query, &layer.key, &layer.value})
      names.insert(names.end(), group->begin(), group->end());
    std::map<std::string, std::pair<Stored, Stored>> stored;  // before and after the fine-tune
    WeightMap before, after;
    for (const std::string& name : names) {
      const auto& [old, now] = stored[name] = {read_tensor(pre_, name), read_tensor(post_, name)};
      before.emplace(name, old.values);
      after.emplace(name, now.values);
    }
    WeightMap restored = after;
    restore_layer(before, restored, layer, options_.restore);
    for (const std::string& name : norms) restored[name] = before.at(name);
    if (keeps_routing(options_.restore.method)) {
      const auto [change, size] = routing_change(restored, before, layer);
      routing_change_ += change;
      routing_size_ += size;
    }
    for (const auto& [name, sides] : stored)
      if (!restored.at(name).is_same(after.at(name))) write(name, restored.at(name), sides);
    summary_.layers.push_back(layer.index);
  }

  RestoreSummary finish() {
    for (auto& [file, patch] : patches_) patch.sync();
    if (routing_size_ > 0) summary_.residual = std::sqrt(routing_change_ / routing_size_);
    return std::move(summary_);
  }

 private:
  void write(const std::string& name, const at::Tensor& restored,
             const std::pair<Stored, Stored>& sides) {
    const at::Tensor& post = sides.second.values;
    const TensorInfo& info = *post_.checkpoint->find(name);
    const at::Tensor stored = restored.to(scalar_type(info.dtype)).contiguous();
    const std::string file = post_.checkpoint->file_of(name).filename().string();
    patches_.try_emplace(file, folder_ / file)
        .first->second.write(post_.checkpoint->offset(info),
                             static_cast<const char*>(stored.const_data_ptr()), stored.nbytes());
    const double size = post.norm().item<double>();
    const double change = (stored.to(at::kFloat) - post).norm().item<double>();
    summary_.tensors.push_back(
        {name, file, size > 0 ? change / size : change, sides.first.sha256, sides.second.sha256});
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
                                 {"pre", fs::absolute(pre).filename().string()},
                                 {"post", fs::absolute(post).filename().string()},
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

}  // namespace

RestoreSummary restore_checkpoint(const fs::path& pre, const fs::path& post, const fs::path& out,
                                  const RestoreCheckpointOptions& options) {
  if (fs::exists(out))
    throw UsageError(fmt::format(
        "restoring: {} is there already; choose another --out, or remove it", out.string()));
  if (options.restore.alpha < 0 || options.restore.alpha > 1)
    throw UsageError(
        fmt::format("restoring: alpha {}: between 0 and 1 was expected", options.restore.alpha));
  const auto [before, after] = open_pair(pre, post);
  const std::vector<SoftmaxLayer> layers = layers_to_restore(*after.meta, options);

  // A trailing slash would put the temporary folder inside of `out`.
  const fs::path place = out.has_filename() ? out : out.parent_path();
  PendingFolder pending(place);
  copy_files(post, pending.path());
  Restoration restoration(before, after, pending.path(), options);
  for (const SoftmaxLayer& layer : layers) {
    stop_if_interrupted();
    restoration.layer(layer);
  }
  RestoreSummary summary = restoration.finish();
  write_file(pending.path() / "restore.json", describe_restoration(pre, post, options, summary));
  for (const auto& entry : fs::directory_iterator(pending.path()))
    summary.bytes += static_cast<std::int64_t>(entry.file_size());
  pending.put_in_place();
  return summary;
}

}  // namespace niah::models
