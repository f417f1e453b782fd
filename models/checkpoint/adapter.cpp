#include "models/checkpoint/adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "models/checkpoint/adapter_config.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostConfigBytes = std::uint64_t{1} << 22;
constexpr std::size_t kLongestName = 1000;

std::string shown_name(std::string_view name) { return single_line(name.substr(0, 200)); }

/// The name of a module or tensor without the prefixes that depend on the surrounding model.
std::string_view without_prefixes(std::string_view name) {
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view prefix : {"model.", "language_model."})
      if (name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
        found = true;
      }
  }
  return name;
}

bool is_embedding(std::string_view name) {
  const std::string_view plain = without_prefixes(name);
  return plain == "embed_tokens.weight" || plain == "embeddings.weight" ||
         plain == "backbone.embeddings.weight";
}

/// What a tensor in the adapter's file is used for; the suffix of its name tells.
enum class Role { kA, kB, kEmbeddingA, kEmbeddingB, kMagnitude, kBaseCopy, kReplacement };

struct Suffix {
  std::string_view text;
  Role role;
  std::string_view parameter;  ///< the module's parameter that it changes
};
constexpr Suffix kSuffixes[] = {
    {".lora_A.weight", Role::kA, ".weight"},
    {".lora_B.weight", Role::kB, ".weight"},
    {".lora_embedding_A", Role::kEmbeddingA, ".weight"},
    {".lora_embedding_B", Role::kEmbeddingB, ".weight"},
    {".lora_magnitude_vector", Role::kMagnitude, ".weight"},
    {".lora_magnitude_vector.weight", Role::kMagnitude, ".weight"},
    {".base_layer.weight", Role::kBaseCopy, ".weight"},
    {".base_layer.bias", Role::kReplacement, ".bias"},
};

struct Target {
  Role role = Role::kReplacement;
  std::string module;     ///< name in the tuned model; empty for a tensor without a LoRA suffix
  std::string parameter;  ///< name of the changed tensor in the tuned model
};

Target target_of(std::string_view name) {
  for (const Suffix& suffix : kSuffixes)
    if (name.ends_with(suffix.text)) {
      const std::string module(name.substr(0, name.size() - suffix.text.size()));
      return {suffix.role, module, module + std::string(suffix.parameter)};
    }
  return {Role::kReplacement, "", std::string(name)};
}

/// Matches the tensors of an adapter's file with those of its base.
class Matching {
 public:
  Matching(const fs::path& file, const TensorTable& base, const std::string& base_name,
           const AdapterConfig& config)
      : file_(file), base_(base), base_name_(base_name), config_(config) {
    for (const auto& [name, info] : base)
      by_plain_name_[std::string(without_prefixes(name))].push_back(name);
    is_tied_ = !base.contains(kHeadTensor);
  }

  void add(const TensorInfo& tensor) {
    if (tensor.name.size() > kLongestName || !tensor.name.starts_with(kAdapterPrefix))
      refuse(tensor, fmt::format("names that begin with '{}' were expected, as PEFT's "
                                 "save_pretrained writes them",
                                 kAdapterPrefix));
    require_floating(tensor);
    const Target target = target_of(std::string_view(tensor.name).substr(kAdapterPrefix.size()));
    if (target.role == Role::kReplacement && is_tied_ &&
        without_prefixes(target.parameter) == kHeadTensor) {
      if (new_head_ != nullptr)
        refuse(tensor, fmt::format("'{}' has the same role for the same tensor",
                                   shown_name(new_head_->name)));
      new_head_ = &tensor;
      return;
    }
    const std::string name = base_tensor(tensor, target.parameter);
    TensorChange& change = changes_[name];
    place(tensor, target.role, change);
    if (target.role == Role::kA || target.role == Role::kEmbeddingA) {
      change.scale = config_.scale_of(target.module);
      const double rank = config_.rank_of(target.module);
      if (tensor.shape.empty() || static_cast<double>(tensor.shape[0]) != rank)
        refuse(tensor, fmt::format("it is {}, but {} says r: {} for its module",
                                   format_shape(tensor.shape), kAdapterConfig, rank));
    }
  }

  std::map<std::string, TensorChange, std::less<>> finish() {
    for (const auto& [name, change] : changes_) check(name, change);
    return std::move(changes_);
  }
  const TensorInfo* new_head() const { return new_head_; }

 private:
  [[noreturn]] void refuse(const TensorInfo& tensor, const std::string& what) const {
    throw DataError(fmt::format("reading the adapter {}: tensor '{}': {}", file_.string(),
                                shown_name(tensor.name), what));
  }

  void require_floating(const TensorInfo& tensor) const {
    if (!is_floating(tensor.dtype))
      refuse(tensor, fmt::format("it has dtype {}; adapters are F32, F16 or BF16",
                                 dtype_name(tensor.dtype)));
  }

  std::string base_tensor(const TensorInfo& tensor, const std::string& parameter) const {
    if (base_.contains(parameter)) return parameter;
    const std::string plain(without_prefixes(parameter));
    const auto found = by_plain_name_.find(plain);
    if (found == by_plain_name_.end())
      refuse(tensor, plain == kHeadTensor
                         ? fmt::format("{} has no output head of its own (its embedding serves as "
                                       "one), so there is none to adapt; merge the adapter with "
                                       "the program that trained it",
                                       base_name_)
                         : fmt::format("it matches nothing: {} has no '{}'; is the adapter of "
                                       "another base?",
                                       base_name_, shown_name(plain)));
    if (found->second.size() > 1)
      refuse(tensor,
             fmt::format("it matches both '{}' and '{}' of {}", shown_name(found->second[0]),
                         shown_name(found->second[1]), base_name_));
    return found->second.front();
  }

  void place(const TensorInfo& tensor, Role role, TensorChange& change) const {
    const auto put = [&](const TensorInfo*& where) {
      if (where != nullptr)
        refuse(tensor,
               fmt::format("'{}' has the same role for the same tensor", shown_name(where->name)));
      where = &tensor;
    };
    change.is_embedding |= role == Role::kEmbeddingA || role == Role::kEmbeddingB;
    switch (role) {
      case Role::kA:
      case Role::kEmbeddingA:
        return put(change.a);
      case Role::kB:
      case Role::kEmbeddingB:
        return put(change.b);
      case Role::kMagnitude:
        return put(change.magnitude);
      case Role::kBaseCopy:
        return put(change.base_copy);
      case Role::kReplacement:
        return put(change.replacement);
    }
  }

  void check(const std::string& name, const TensorChange& change) const {
    const TensorInfo& base = *base_.at(name);
    const TensorInfo& any = *change.tensors().front();
    const bool has_factors = change.a != nullptr && change.b != nullptr;
    if (change.replacement != nullptr && change.tensors().size() > 1)
      refuse(any, fmt::format("it would replace a tensor that '{}' changes",
                              shown_name(change.tensors()[1]->name)));
    if (change.replacement == nullptr && !has_factors)
      refuse(any, "its counterpart is missing: a module has both factors, lora_A and lora_B");
    if (has_factors) check_factors(base, change);
    for (const TensorInfo* whole : {change.replacement, change.base_copy})
      if (whole != nullptr && whole->shape != base.shape)
        refuse(*whole, fmt::format("it is {}, and '{}' of {} is {}: was the vocabulary changed, or "
                                   "is it of another base?",
                                   format_shape(whole->shape), shown_name(name), base_name_,
                                   format_shape(base.shape)));
    check_tied(name, change);
  }

  void check_factors(const TensorInfo& base, const TensorChange& change) const {
    const TensorInfo &a = *change.a, &b = *change.b;
    std::vector<std::int64_t> expected = base.shape;
    if (change.is_embedding) std::reverse(expected.begin(), expected.end());
    if (a.shape.size() != 2 || b.shape.size() != 2 || b.shape[1] != a.shape[0] ||
        std::vector{b.shape[0], a.shape[1]} != expected)
      refuse(a, fmt::format("the factors B {} and A {} do not fit '{}' {} of {}",
                            format_shape(b.shape), format_shape(a.shape), shown_name(base.name),
                            format_shape(base.shape), base_name_));
    if (change.magnitude == nullptr) {
      if (config_.is_dora)
        refuse(a, fmt::format("{} says use_dora: true, but its module has no "
                              "lora_magnitude_vector",
                              kAdapterConfig));
      return;
    }
    if (!config_.is_dora || change.is_embedding)
      refuse(*change.magnitude, change.is_embedding
                                    ? "DoRA of an embedding is not supported; merge the adapter "
                                      "with PEFT (merge_and_unload)"
                                    : fmt::format("it belongs to DoRA, but {} does not say "
                                                  "use_dora: true",
                                                  kAdapterConfig));
    if (change.magnitude->numel() != base.shape[0])
      refuse(*change.magnitude, fmt::format("it is {}; one number for each of the {} rows was "
                                            "expected",
                                            format_shape(change.magnitude->shape), base.shape[0]));
  }

  /// If the embedding also serves as the output head, the effect of changing it is ambiguous: PEFT
  /// keeps the old head while the adapter is on top, but changes it when the adapter is merged.
  void check_tied(const std::string& name, const TensorChange& change) const {
    if (!is_tied_ || !is_embedding(name) || new_head_ != nullptr) return;
    if (config_.ties_weights && change.replacement != nullptr) return;
    refuse(*change.tensors().front(),
           fmt::format("it changes the embedding of {}, which serves as the output head, too, and "
                       "it is unclear whether the head changes with it; merge the adapter with "
                       "the program that trained it and name the merged checkpoint",
                       base_name_));
  }

  const fs::path& file_;
  const TensorTable& base_;
  const std::string& base_name_;
  const AdapterConfig& config_;
  std::map<std::string, std::vector<std::string>> by_plain_name_;
  bool is_tied_ = false;
  std::map<std::string, TensorChange, std::less<>> changes_;
  const TensorInfo* new_head_ = nullptr;
};

/// Throws DataError unless the folder is that of a PEFT adapter.
void require_adapter_folder(const fs::path& folder) {
  if (!is_folder(folder))
    throw DataError(
        fmt::format("opening the adapter {}: no such folder; a PEFT adapter's with {} "
                    "and {} is expected",
                    folder.string(), kAdapterConfig, kAdapterWeights));
  if (!is_listed(folder / kAdapterConfig))
    throw DataError(fmt::format(
        "opening the adapter {}: it has no {}{}", folder.string(), kAdapterConfig,
        is_there(folder / "config.json") ? "; it is a whole checkpoint, name it without an adapter"
                                         : ""));
  if (is_listed(folder / kAdapterWeights)) return;
  throw DataError(
      fmt::format("opening the adapter {}: it has no {}{}", folder.string(), kAdapterWeights,
                  is_there(folder / "adapter_model.bin")
                      ? "; its weights are pickled, save them with safe_serialization=True first"
                      : ""));
}

}  // namespace

std::vector<const TensorInfo*> TensorChange::tensors() const {
  std::vector<const TensorInfo*> all;
  for (const TensorInfo* tensor : {replacement, a, b, magnitude, base_copy})
    if (tensor != nullptr) all.push_back(tensor);
  return all;
}

Adapter::Adapter(const fs::path& folder, const TensorTable& base, const std::string& base_name)
    : folder_(folder) {
  require_adapter_folder(folder);
  const fs::path config_file = folder / kAdapterConfig;
  const AdapterConfig config = parse_adapter_config(
      read_file(config_file, "reading the adapter's config", kMostConfigBytes), config_file);
  file_ = std::make_unique<SafetensorsFile>(folder / kAdapterWeights);
  Matching matching(file_->path(), base, base_name, config);
  for (const TensorInfo& tensor : file_->tensors()) matching.add(tensor);
  if (file_->tensors().empty())
    throw DataError(fmt::format("reading the adapter {}: it holds no tensor, so it changes nothing",
                                file_->path().string()));
  new_head_ = matching.new_head();
  changes_ = matching.finish();
}

const TensorChange* Adapter::find(std::string_view name) const {
  const auto found = changes_.find(name);
  return found == changes_.end() ? nullptr : &found->second;
}

std::string Adapter::sha256() const {
  Sha256 hash;
  const auto add = [&](const TensorInfo& tensor) {
    hash.update(fmt::format("{} {} {}\n", tensor.name, dtype_name(tensor.dtype),
                            format_shape(tensor.shape)));
    const auto data = file_->bytes(tensor);
    hash.update({reinterpret_cast<const char*>(data.data()), data.size()});
  };
  for (const auto& [name, change] : changes_) {
    hash.update(fmt::format("{} {}\n", name, change.scale));
    for (const TensorInfo* tensor : change.tensors()) add(*tensor);
  }
  if (new_head_ != nullptr) add(*new_head_);
  return hash.hex();
}

}  // namespace niah::models
