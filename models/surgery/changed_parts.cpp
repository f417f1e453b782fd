#include "models/surgery/changed_parts.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/restore.h"
#include "models/surgery/stored_tensor.h"
#include "models/surgery/weight_parts.h"

namespace niah::models {
namespace {

const std::set<WeightPart> kQueryAndKey = {WeightPart::kQuery, WeightPart::kKey};

/// Rows of a tensor, by its name and the first of them.
using RowsKey = std::pair<std::string, std::int64_t>;

RowsKey key_of(const PartRows& part) { return {part.rows.tensor, part.rows.first}; }

/// The rows that the fine-tune changed.
std::set<RowsKey> changed_rows_of(const CheckpointPair& pair) {
  const NamesBefore name_before(pair);
  std::set<RowsKey> changed;
  for (const auto& [name, parts] : parts_by_tensor(pair.post.meta->info())) {
    stop_if_interrupted();
    const at::Tensor before = read_values(pair.pre, name_before(name));
    const at::Tensor after = read_values(pair.post, name);
    for (const PlacedPart& placed : parts)
      if (!at::equal(view_rows(before, placed.rows.rows), view_rows(after, placed.rows.rows)))
        changed.insert(key_of(placed.rows));
  }
  return changed;
}

/// The same restoration by the method `parts`; nullopt for one that puts no part back as it was.
std::optional<RestoreOptions> by_parts(RestoreOptions options) {
  if (options.alpha != 1) return std::nullopt;
  switch (options.method) {
    case RestoreMethod::kParts:
      return options;
    case RestoreMethod::kQk:
      options.parts = kQueryAndKey;
      break;
    case RestoreMethod::kQ:
      options.parts = {WeightPart::kQuery};
      break;
    case RestoreMethod::kK:
      options.parts = {WeightPart::kKey};
      break;
    case RestoreMethod::kV:
      options.parts = {WeightPart::kValue};
      break;
    default:
      return std::nullopt;
  }
  options.method = RestoreMethod::kParts;
  return options;
}

RestoreOptions these_parts(std::set<WeightPart> parts) {
  return {.method = RestoreMethod::kParts, .parts = std::move(parts)};
}

}  // namespace

/// The restorations so far, by the rows that they put back.
class ChangedParts::Distinct {
 public:
  explicit Distinct(const CheckpointPair& pair)
      : meta_(pair.post.meta), changed_(changed_rows_of(pair)), known_{{}, changed_} {}

  const ModelInfo& info() const { return meta_->info(); }
  bool has(WeightPart part) const { return has_part(info(), part); }
  bool attends() const { return has(WeightPart::kQuery) && has(WeightPart::kKey); }
  /// The parts that the model has.
  std::vector<WeightPart> parts() const {
    std::vector<WeightPart> parts;
    for (const std::string& name : weight_part_names())
      if (has(parse_weight_part(name))) parts.push_back(parse_weight_part(name));
    return parts;
  }

  /// Returns false if another restoration, or a checkpoint of the pair, has the same weights.
  bool is_new(const RestoreOptions& options) {
    std::set<RowsKey> named;
    RestoreOptions of_named = options;
    of_named.complement = false;
    for (const PartRows& part : rows_of_parts(info(), of_named))
      if (changed_.contains(key_of(part))) named.insert(key_of(part));
    return known_.insert(options.complement ? all_but(named) : std::move(named)).second;
  }
  /// Those of `restorations` that are new.
  std::vector<RestoreOptions> take_new(std::vector<RestoreOptions> restorations) {
    std::erase_if(restorations, [&](const auto& options) { return !is_new(*by_parts(options)); });
    return restorations;
  }

 private:
  std::set<RowsKey> all_but(const std::set<RowsKey>& named) const {
    std::set<RowsKey> rest;
    std::ranges::set_difference(changed_, named, std::inserter(rest, rest.end()));
    return rest;
  }

  std::shared_ptr<CausalLM> meta_;
  std::set<RowsKey> changed_;
  std::set<std::set<RowsKey>> known_;  ///< what is put back
};

ChangedParts::ChangedParts(const CheckpointPath& pre, const CheckpointPath& post)
    : distinct_(std::make_unique<Distinct>(open_pair(pre, post))) {}

ChangedParts::~ChangedParts() = default;

void ChangedParts::know(const RestoreOptions& options) {
  if (const auto parts = by_parts(options)) distinct_->is_new(*parts);
}

std::vector<RestoreOptions> ChangedParts::alone() {
  std::vector<RestoreOptions> all;
  if (distinct_->attends()) all.push_back({.method = RestoreMethod::kQk});
  for (const WeightPart part : distinct_->parts()) all.push_back(these_parts({part}));
  return distinct_->take_new(std::move(all));
}

std::vector<RestoreOptions> ChangedParts::all_but() {
  std::vector<RestoreOptions> all;
  if (distinct_->attends()) all.push_back(these_parts(kQueryAndKey));
  for (const WeightPart part : distinct_->parts()) all.push_back(these_parts({part}));
  for (RestoreOptions& options : all) options.complement = true;
  return distinct_->take_new(std::move(all));
}

std::vector<RestoreOptions> ChangedParts::by_layer(const std::set<WeightPart>& parts) {
  RestoreOptions options = these_parts(parts);
  std::vector<RestoreOptions> all = {options};
  for (std::size_t layer = 0; layer < distinct_->info().mixers.size(); ++layer) {
    options.layers = {{static_cast<std::int64_t>(layer)}};
    const bool has_all = std::ranges::all_of(parts, [&](WeightPart part) {
      return has_part(distinct_->info(), part, static_cast<std::int64_t>(layer));
    });
    if (has_all) all.push_back(options);
  }
  return distinct_->take_new(std::move(all));
}

std::vector<RestoreOptions> ChangedParts::one_more(const RestoreOptions& chosen) {
  const auto before = by_parts(chosen);
  check(before.has_value(), "a restoration of parts");
  std::vector<RestoreOptions> all;
  const auto add = [&](std::set<WeightPart> parts) {
    parts.insert(before->parts.begin(), before->parts.end());
    all.push_back(these_parts(std::move(parts)));
  };
  if (distinct_->attends()) add(kQueryAndKey);
  for (const WeightPart part : distinct_->parts()) add({part});
  return distinct_->take_new(std::move(all));
}

}  // namespace niah::models
