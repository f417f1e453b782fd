#include "models/surgery/changed_parts.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/restoration.h"
#include "models/surgery/weight_parts.h"

namespace niah::models {
namespace {

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

/// Collects restorations that put different rows back.
class Distinct {
 public:
  explicit Distinct(const CheckpointPair& pair)
      : info_(pair.post.meta->info()), changed_(changed_rows_of(pair)), known_{{}, changed_} {}

  const ModelInfo& info() const { return info_; }

  /// Adds a restoration unless another one, or a checkpoint of the pair, has the same weights.
  void add(const RestoreOptions& options) {
    std::set<RowsKey> named;
    for (const PartRows& part : rows_of_named(options))
      if (changed_.contains(key_of(part))) named.insert(key_of(part));
    std::set<RowsKey> restored = options.complement ? all_but(named) : std::move(named);
    if (known_.insert(std::move(restored)).second) found_.push_back(options);
  }
  std::vector<RestoreOptions> take() && { return std::move(found_); }

 private:
  /// The rows of the parts that the options name, which a complement leaves alone.
  std::vector<PartRows> rows_of_named(RestoreOptions options) const {
    if (options.method == RestoreMethod::kQk) {
      options.method = RestoreMethod::kParts;
      options.parts = {WeightPart::kQuery, WeightPart::kKey};
    }
    options.complement = false;
    return rows_of_parts(info_, options);
  }
  std::set<RowsKey> all_but(const std::set<RowsKey>& named) const {
    std::set<RowsKey> rest;
    std::ranges::set_difference(changed_, named, std::inserter(rest, rest.end()));
    return rest;
  }

  const ModelInfo& info_;
  std::set<RowsKey> changed_;
  std::set<std::set<RowsKey>> known_;  ///< what is put back
  std::vector<RestoreOptions> found_;
};

RestoreOptions parts_alone(std::set<WeightPart> parts) {
  return {.method = RestoreMethod::kParts, .parts = std::move(parts)};
}

/// The parts that the model has.
std::vector<WeightPart> parts_of(const ModelInfo& info) {
  std::vector<WeightPart> parts;
  for (const std::string& name : weight_part_names())
    if (has_part(info, parse_weight_part(name))) parts.push_back(parse_weight_part(name));
  return parts;
}

}  // namespace

std::vector<RestoreOptions> distinct_restorations(const CheckpointPath& pre,
                                                  const CheckpointPath& post) {
  const CheckpointPair pair = open_pair(pre, post);
  Distinct distinct(pair);
  const std::vector<WeightPart> parts = parts_of(distinct.info());
  const bool attends =
      has_part(distinct.info(), WeightPart::kQuery) && has_part(distinct.info(), WeightPart::kKey);
  if (attends) distinct.add({.method = RestoreMethod::kQk});
  for (const WeightPart part : parts) distinct.add(parts_alone({part}));
  const auto add_complement = [&](std::set<WeightPart> of) {
    RestoreOptions rest = parts_alone(std::move(of));
    rest.complement = true;
    distinct.add(rest);
  };
  if (attends) add_complement({WeightPart::kQuery, WeightPart::kKey});
  for (const WeightPart part : parts) add_complement({part});
  return std::move(distinct).take();
}

std::vector<RestoreOptions> restorations_by_layer(const CheckpointPath& pre,
                                                  const CheckpointPath& post,
                                                  const std::set<WeightPart>& parts) {
  const CheckpointPair pair = open_pair(pre, post);
  Distinct distinct(pair);
  RestoreOptions options = parts_alone(parts);
  distinct.add(options);
  for (std::size_t layer = 0; layer < distinct.info().mixers.size(); ++layer) {
    options.layers = {{static_cast<std::int64_t>(layer)}};
    const bool has_all = std::ranges::all_of(parts, [&](WeightPart part) {
      return has_part(distinct.info(), part, static_cast<std::int64_t>(layer));
    });
    if (has_all) distinct.add(options);
  }
  return std::move(distinct).take();
}

}  // namespace niah::models
