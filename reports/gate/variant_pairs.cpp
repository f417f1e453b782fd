#include "reports/gate/variant_pairs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "reports/analysis/variant_labels.h"

namespace niah::reports {
namespace {

bool is_served(const VariantInfo& variant) { return !variant.server.empty(); }

bool is_of_servers_alone(const RunInfo& run) {
  return !run.variants.empty() && std::all_of(run.variants.begin(), run.variants.end(), is_served);
}

std::vector<std::string> names_of(const RunInfo& run) {
  std::vector<std::string> names;
  for (const VariantInfo& variant : run.variants)
    if (std::find(names.begin(), names.end(), variant.name) == names.end())
      names.push_back(variant.name);
  return names;
}

/// Throws DataError if `served_as` is given but cannot apply.
void refuse_unknown(const RunInfo& baseline, const RunInfo& current, const std::string& served_as) {
  if (served_as.empty()) return;
  if (std::none_of(current.variants.begin(), current.variants.end(), is_served))
    throw DataError(fmt::format(
        "comparing with the baseline: '{}' is said to be served, but this run asked no server",
        single_line(served_as)));
  const std::vector<std::string> names = names_of(baseline);
  if (std::find(names.begin(), names.end(), served_as) == names.end())
    throw DataError(fmt::format(
        "comparing with the baseline: it has no variant '{}' to compare a served one with; it has "
        "{}",
        single_line(served_as), single_line(fmt::format("{}", fmt::join(names, ", ")))));
}

/// Decides for each served variant of the run what it stands for.
class VariantPairing {
 public:
  VariantPairing(const RunInfo& baseline, const RunInfo& current, const std::string& served_as)
      : baseline_(baseline),
        current_(current),
        served_as_(served_as),
        is_one_model_(models_of(baseline).size() == 1 && models_of(current).size() == 1) {}

  VariantPairs finish() && {
    for (const VariantInfo& variant : baseline_.variants) pair(variant);
    leave_out_what_was_not_asked();
    for (const VariantPair& pair : out_.pairs) describe(pair);
    for (const VariantInfo& variant : current_.variants)
      if (is_served(variant) && !has_namesake(variant) && place_of(variant) == nullptr)
        out_.notes.push_back(why_alone(variant));
    return std::move(out_);
  }

 private:
  bool is_same_model(const VariantInfo& one, const VariantInfo& other) const {
    return one.model == other.model || is_one_model_;
  }
  bool has_namesake(const VariantInfo& variant) const {
    return find_variant(baseline_, variant.model, variant.name) != nullptr;
  }

  /// The baseline's variant that a served variant without a namesake is paired with, or nullptr.
  const VariantInfo* place_of(const VariantInfo& served) const {
    const std::string& said = served.same_as.empty() ? served_as_ : served.same_as;
    if (said.empty() && served.role != Role::kBase) return nullptr;
    for (const VariantInfo& variant : baseline_.variants) {
      const bool is_it = said.empty() ? variant.role == Role::kBase : variant.name == said;
      if (is_it && is_same_model(variant, served)) return &variant;
    }
    return nullptr;
  }

  std::string why_alone(const VariantInfo& served) const {
    if (!served.same_as.empty())
      return fmt::format("{} was not compared: it serves {}, which the baseline does not have.",
                         served.name, served.same_as);
    return fmt::format(
        "{} was not compared: it is not said which of the baseline's variants it serves; "
        "--served-as NAME says it.",
        served.name);
  }

  void pair(const VariantInfo& variant) {
    const VariantInfo* namesake = find_variant(current_, variant.model, variant.name);
    if (namesake != nullptr) out_.pairs.push_back({&variant, namesake});
    bool is_paired = namesake != nullptr;
    for (const VariantInfo& served : current_.variants) {
      // If the run has the variant itself, that is compared with the baseline, and within the run
      // the served variant with that.
      const bool stands_for = namesake == nullptr && is_served(served) && !has_namesake(served) &&
                              place_of(served) == &variant;
      if (!stands_for) continue;
      out_.pairs.push_back({&variant, &served});
      is_paired = true;
    }
    if (!is_paired) out_.pairs.push_back({&variant, nullptr});
  }

  void leave_out_what_was_not_asked() {
    const bool any = std::any_of(out_.pairs.begin(), out_.pairs.end(),
                                 [](const VariantPair& pair) { return pair.current != nullptr; });
    if (!any || !is_of_servers_alone(current_)) return;
    std::vector<std::string> names;
    for (const VariantPair& pair : out_.pairs)
      if (pair.current == nullptr) names.push_back(pair.baseline->name);
    std::erase_if(out_.pairs, [](const VariantPair& pair) { return pair.current == nullptr; });
    if (!names.empty())
      out_.notes.push_back(fmt::format(
          "This run asked servers alone; of the baseline {} not compared: {}.",
          names.size() == 1 ? "one variant was" : "some variants were", fmt::join(names, ", ")));
  }

  void describe(const VariantPair& pair) {
    if (pair.current == nullptr) return;
    const std::string& before = pair.baseline->server;
    const std::string& now = pair.current->server;
    out_.has_local_pair = out_.has_local_pair || (before.empty() && now.empty());
    out_.has_mixed_pair = out_.has_mixed_pair || before.empty() != now.empty();
    if (before == now) return;
    if (before.empty()) {
      out_.notes.push_back(
          fmt::format("{}: the baseline computed it itself, this run asked a server ({}). What "
                      "differs may be the server's; the server may also have another checkpoint.",
                      pair.name(), now));
      return;
    }
    out_.notes.push_back(
        now.empty()
            ? fmt::format("{}: the baseline asked a server ({}), this run computed it itself.",
                          pair.name(), before)
            : fmt::format("{}: the baseline asked {}, this run {}.", pair.name(), before, now));
  }

  const RunInfo& baseline_;
  const RunInfo& current_;
  const std::string& served_as_;
  bool is_one_model_;
  VariantPairs out_;
};

}  // namespace

std::string VariantPair::name() const {
  const bool is_other = current != nullptr && current->name != baseline->name;
  return is_other ? fmt::format("{} ({})", baseline->name, current->name) : baseline->name;
}

VariantPairs pair_variants(const RunInfo& baseline, const RunInfo& current,
                           const std::string& served_as) {
  refuse_unknown(baseline, current, served_as);
  return VariantPairing(baseline, current, served_as).finish();
}

}  // namespace niah::reports
