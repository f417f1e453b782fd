#include "models/arch/rope.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/listed.h"
#include "models/arch/decoder.h"

namespace niah::models {
namespace {

constexpr double kMostScaling = 1e6;

/// What one place in a config specifies.
struct Said {
  double theta = 0, partial = 0;  ///< 0: not specified
  std::optional<YarnScaling> yarn;
  std::optional<Llama3Scaling> llama3;
  double linear_factor = 1;

  bool operator==(const Said&) const = default;
};

/// Scaling of type yarn, with the defaults of transformers.
YarnScaling read_yarn(ConfigReader& rope, const RopeRules& rules) {
  if (!rules.has_mscale) {
    rope.must_be("truncate", true, "the ramp's ends are whole numbers");
    rope.must_be("mscale", nullptr, "attention_factor is the factor on cos and sin");
    rope.must_be("mscale_all_dim", nullptr, "attention_factor is the factor on cos and sin");
  }
  const auto longest = static_cast<double>(rules.max_positions);
  YarnScaling yarn;
  yarn.original_positions =
      static_cast<double>(rope.positions("original_max_position_embeddings", rules.max_positions));
  yarn.factor = rope.number("factor", longest / yarn.original_positions, 1, kMostScaling);
  yarn.beta_fast = rope.number("beta_fast", 32, 1e-6, kMostScaling);
  yarn.beta_slow = rope.number("beta_slow", 1, 1e-6, kMostScaling);
  yarn.truncate = rope.boolean("truncate", true);
  const auto scale_of = [&](double mscale) {
    return yarn.factor <= 1 ? 1.0 : 0.1 * mscale * std::log(yarn.factor) + 1;
  };
  const double mscale = rope.number("mscale", 0, 0, kMostScaling);
  const double mscale_all = rope.number("mscale_all_dim", 0, 0, kMostScaling);
  const double usual =
      mscale != 0 && mscale_all != 0 ? scale_of(mscale) / scale_of(mscale_all) : scale_of(1);
  yarn.attention_factor = rope.number("attention_factor", usual, 1e-6, kMostScaling);
  return yarn;
}

/// Scaling of type llama3, whose fields have no defaults.
Llama3Scaling read_llama3(ConfigReader& rope, const RopeRules& rules) {
  const auto needed = [&](const char* field, double low) {
    if (rope.is_null(field)) rope.refuse(field, "rotary scaling of type llama3 needs it");
    return rope.number(field, 0, low, kMostScaling);
  };
  Llama3Scaling llama3;
  llama3.factor = needed("factor", 1);
  llama3.low = needed("low_freq_factor", 1e-6);
  llama3.high = needed("high_freq_factor", 1e-6);
  llama3.original_positions =
      static_cast<double>(rope.positions("original_max_position_embeddings", rules.max_positions));
  if (llama3.high <= llama3.low)
    rope.refuse("high_freq_factor", fmt::format("a number above low_freq_factor, {}, was expected, "
                                                "found {}",
                                                llama3.low, llama3.high));
  return llama3;
}

double theta_of(ConfigReader& fields) {
  return fields.is_null("rope_theta") ? 0 : fields.number("rope_theta", 0, kMinTheta, kMaxTheta);
}

double partial_of(ConfigReader& fields, const RopeRules& rules) {
  constexpr const char* kField = "partial_rotary_factor";
  if (!rules.may_be_partial) fields.must_be(kField, 1.0, "all of a head is rotated");
  return fields.is_null(kField) ? 0 : fields.number(kField, 0, 1e-3, 1);
}

/// Reads `rope_scaling`, or `rope_parameters` as it is called since transformers 5.
Said read_object(ConfigReader rope, const RopeRules& rules) {
  Said said;
  said.theta = theta_of(rope);
  said.partial = partial_of(rope, rules);
  const std::string older = rope.text("type", "default");
  const std::string type = rope.text("rope_type", older);
  if (std::find(rules.types.begin(), rules.types.end(), type) == rules.types.end())
    rope.refuse("rope_type",
                fmt::format("'{}' is not supported; {} are", type, listed(rules.types)));
  if (type == "yarn") said.yarn = read_yarn(rope, rules);
  if (type == "llama3") said.llama3 = read_llama3(rope, rules);
  if (type == "linear") said.linear_factor = rope.number("factor", 1, 1, kMostScaling);
  if (rules.has_mrope) rope.without_effect({"mrope_section", "mrope_interleaved"});
  rope.finish();
  return said;
}

/// Merges a value from outside that object (0: absent) into `said`; refuses two that differ.
void add_outer(const ConfigReader& reader, const char* field, double own, double& said) {
  if (own == 0) return;
  if (said != 0 && said != own)
    reader.refuse(field, fmt::format("{} contradicts the {} beside the rotary scaling; set both, "
                                     "or remove one",
                                     own, said));
  said = own;
}

Rope resolve(const Said& said, const ConfigReader& reader, const RopeRules& rules) {
  const double partial = said.partial != 0 ? said.partial : rules.partial;
  Rope rope;
  rope.theta = said.theta != 0 ? said.theta : rules.theta;
  rope.width = static_cast<std::int64_t>(static_cast<double>(rules.head_dim) * partial);
  rope.yarn = said.yarn;
  rope.llama3 = said.llama3;
  rope.linear_factor = said.linear_factor;
  if (rope.width % 2 == 0 && rope.width > 0) return rope;
  if (partial == 1) reader.refuse("head_dim", "must be even for rotary embedding");
  reader.refuse("partial_rotary_factor",
                fmt::format("{} of the {} numbers of a head would be rotated; an even number was "
                            "expected",
                            rope.width, rules.head_dim));
}

}  // namespace

Rope read_rope(ConfigReader& reader, const std::string& label, const RopeRules& rules) {
  Said said;
  bool is_given = false;
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    if (reader.is_null(field)) continue;
    const Said found = read_object({reader.raw(field), label + ": " + field}, rules);
    if (is_given && found != said) reader.refuse(field, "it contradicts rope_scaling; remove one");
    said = found;
    is_given = true;
  }
  add_outer(reader, "rope_theta", theta_of(reader), said.theta);
  add_outer(reader, "partial_rotary_factor", partial_of(reader, rules), said.partial);
  return resolve(said, reader, rules);
}

Rope read_rope(const nlohmann::json& object, const std::string& label, const RopeRules& rules) {
  const ConfigReader reader(object, label);
  return resolve(read_object(reader, rules), reader, rules);
}

std::string Rope::scaling() const {
  if (yarn)
    return fmt::format("yarn {} of {} positions, beta {} to {}, attention factor {}, truncate {}",
                       yarn->factor, yarn->original_positions, yarn->beta_slow, yarn->beta_fast,
                       yarn->attention_factor, yarn->truncate);
  if (llama3)
    return fmt::format("llama3 {} of {} positions, turns {} to {}", llama3->factor,
                       llama3->original_positions, llama3->low, llama3->high);
  return linear_factor == 1 ? "none" : fmt::format("linear {}", linear_factor);
}

RotaryEmbedding::RotaryEmbedding(const Rope& rope, at::Device device)
    : factor_(rope.yarn ? rope.yarn->attention_factor : 1) {
  const at::Tensor frequencies =
      rope.yarn     ? yarn_frequencies(rope.theta, rope.width, *rope.yarn)
      : rope.llama3 ? llama3_frequencies(rope.theta, rope.width, *rope.llama3)
                    : rotary_frequencies(rope.theta, rope.width) / rope.linear_factor;
  frequencies_ = frequencies.to(device);
}

std::pair<at::Tensor, at::Tensor> RotaryEmbedding::tables(
    const std::vector<std::int64_t>& positions, std::int64_t tokens) const {
  auto [cos, sin] = rotary_tables(frequencies_, positions, tokens);
  if (factor_ == 1) return {cos, sin};
  return {cos * factor_, sin * factor_};
}

}  // namespace niah::models
