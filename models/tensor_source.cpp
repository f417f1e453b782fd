#include "models/tensor_source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "harness/base/listed_error.h"
#include "harness/base/text.h"
#include "models/checkpoint/safetensors.h"

namespace niah::models {
namespace {

constexpr std::size_t kMaxListed = 10;
constexpr std::size_t kMaxCompared = 1000;

/// Appends a line such as "missing (2): a [3, 4], b [5]" with at most kMaxListed items; none if
/// there are no items.
void list_problem(const std::string& title, const std::vector<std::string>& items,
                  std::vector<std::string>& lines) {
  if (items.empty()) return;
  const std::vector<std::string> shown(
      items.begin(), items.begin() + static_cast<long>(std::min(items.size(), kMaxListed)));
  lines.push_back(fmt::format("{} ({}): {}{}", title, items.size(), fmt::join(shown, ", "),
                              items.size() > kMaxListed ? ", ..." : ""));
}

bool begins_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

/// A tensor without data. Throws DataError if it is absurdly large: each size in a config is
/// bounded, their product is not.
at::Tensor stand_in(const std::string& label, const std::string& name,
                    const std::vector<std::int64_t>& shape) {
  constexpr double kMost = 1e15;
  double elements = 1;
  for (const std::int64_t size : shape) elements *= static_cast<double>(size);
  if (elements > kMost)
    throw DataError(
        fmt::format("loading {}: its config.json asks for the tensor {} {}, which no "
                    "machine holds; one of its sizes is wrong",
                    label, name, format_shape(shape)));
  return at::empty(shape, at::TensorOptions().device(at::kMeta));
}

}  // namespace

MapSource::MapSource(const WeightMap& weights, std::string label)
    : weights_(weights), label_(std::move(label)) {}

at::Tensor MapSource::tensor(const std::string& name, at::IntArrayRef shape) {
  asked_[name] = shape.vec();
  const auto found = weights_.find(name);
  // With a stand-in, construction continues and finish() can list all problems at once.
  if (found == weights_.end() || found->second.sizes() != shape)
    return stand_in(label_, name, shape.vec());
  return found->second;
}

std::int64_t MapSource::rows_of(const std::string& name) const {
  const auto found = weights_.find(name);
  return found == weights_.end() || found->second.dim() == 0 ? 0 : found->second.size(0);
}

void MapSource::finish() const {
  std::vector<std::string> missing, unexpected, misshaped, names;
  for (const auto& [name, shape] : asked_) {
    const auto found = weights_.find(name);
    if (found == weights_.end()) {
      missing.push_back(fmt::format("{} {}", name, format_shape(shape)));
      if (names.size() < kMaxCompared) names.push_back(name);
    } else if (found->second.sizes() != at::IntArrayRef(shape)) {
      misshaped.push_back(fmt::format("{} is {}, expected {}", name,
                                      format_shape(found->second.sizes().vec()),
                                      format_shape(shape)));
    }
  }
  for (const auto& [name, tensor] : weights_) {
    if (begins_with_any(name, ignored_) || asked_.contains(name)) continue;
    // Similar names are searched only for what is shown: there may be millions on either side.
    const std::string hint = unexpected.size() < kMaxListed ? did_you_mean(name, names) : "";
    unexpected.push_back(
        fmt::format("{} {}{}", valid_utf8(name), format_shape(tensor.sizes().vec()), hint));
  }
  std::vector<std::string> lines;
  list_problem("missing", missing, lines);
  list_problem("wrong shape", misshaped, lines);
  list_problem("unexpected", unexpected, lines);
  if (lines.empty()) return;
  throw ListedError(fmt::format("loading {}: the tensors do not fit its config.json:", label_),
                    std::move(lines));
}

at::Tensor ShapeSource::tensor(const std::string& name, at::IntArrayRef shape) {
  shapes_[name] = shape.vec();
  return stand_in("the model", name, shape.vec());
}

bool ShapeSource::is_ignored(const std::string& name) const {
  return begins_with_any(name, ignored_);
}

std::int64_t ShapeSource::parameters() const {
  std::int64_t total = 0;
  for (const auto& [name, shape] : shapes_)
    total += std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  return total;
}

}  // namespace niah::models
