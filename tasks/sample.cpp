#include "tasks/sample.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/json_integer.h"
#include "harness/base/strict_json.h"

namespace niah::tasks {
namespace {

/// A value as errors show it.
std::string shown(const nlohmann::json& value) { return json_line(value, 60, /*is_ascii=*/true); }

template <typename T>
T field(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) {
    throw DataError(fmt::format("reading a sample: field '{}' is missing", name));
  }
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception&) {
    throw DataError(
        fmt::format("reading a sample: field '{}' is a {}, which is not the type it should have",
                    name, found->type_name()));
  }
}

/// As field(), for numbers: the conversion alone would turn true and 1.5 into integers, and wrap
/// those that do not fit.
template <typename T>
T number(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) return field<T>(json, name);
  if constexpr (std::is_integral_v<T>) {
    if (!is_integer_of<T>(*found))
      throw DataError(fmt::format("reading a sample: field '{}' is {}, expected a whole number {}",
                                  name, shown(*found),
                                  std::is_signed_v<T> ? "of 64 bits" : "from 0 to 2^64 - 1"));
  } else if (!found->is_number()) {
    throw DataError(fmt::format("reading a sample: field '{}' is a {}, expected a number", name,
                                found->type_name()));
  }
  return field<T>(json, name);
}

Span read_needle(const nlohmann::json& json) {
  const auto needle = field<std::vector<nlohmann::json>>(json, "needle");
  if (needle.size() != 2 || !is_integer_of<std::int64_t>(needle[0]) ||
      !is_integer_of<std::int64_t>(needle[1])) {
    throw DataError(
        fmt::format("reading a sample: field 'needle' is {}, expected two whole numbers",
                    shown(json["needle"])));
  }
  return {needle[0].get<std::int64_t>(), needle[1].get<std::int64_t>()};
}

}  // namespace

std::string Sample::prompt() const {
  std::string text;
  text.reserve(input.size() + target_delimiter.size() + gen_prefix.size());
  text += input;
  text += target_delimiter;
  return text += gen_prefix;
}

void to_json(nlohmann::json& json, const Sample& sample) {
  json = {{"protocol", sample.protocol},
          {"task", sample.task},
          {"seed", sample.seed},
          {"max_length", sample.max_length},
          {"index", sample.index},
          {"input", sample.input},
          {"gen_prefix", sample.gen_prefix},
          {"outputs", sample.outputs},
          {"key", sample.key},
          {"needle", {sample.needle.begin, sample.needle.end}},
          {"depth", sample.depth},
          {"real_depth", sample.real_depth},
          {"length", sample.length},
          {"haystack_units", sample.haystack_units},
          {"prompt_sha256", sample.prompt_sha256}};
  const Sample usual;
  if (sample.target_delimiter != usual.target_delimiter)
    json["target_delimiter"] = sample.target_delimiter;
  if (sample.answer_tokens != usual.answer_tokens) json["answer_tokens"] = sample.answer_tokens;
}

void from_json(const nlohmann::json& json, Sample& sample) {
  if (!json.is_object()) {
    throw DataError(
        fmt::format("reading a sample: expected a JSON object, found a {}", json.type_name()));
  }
  sample.protocol = field<std::string>(json, "protocol");
  sample.task = field<std::string>(json, "task");
  sample.seed = number<std::uint64_t>(json, "seed");
  sample.max_length = number<std::int64_t>(json, "max_length");
  sample.index = number<std::int64_t>(json, "index");
  sample.input = field<std::string>(json, "input");
  sample.gen_prefix = field<std::string>(json, "gen_prefix");
  sample.outputs = field<std::vector<std::string>>(json, "outputs");
  sample.key = field<std::string>(json, "key");
  sample.needle = read_needle(json);
  sample.depth = number<double>(json, "depth");
  sample.real_depth = number<double>(json, "real_depth");
  sample.length = number<std::int64_t>(json, "length");
  sample.haystack_units = number<std::int64_t>(json, "haystack_units");
  if (json.contains("target_delimiter"))
    sample.target_delimiter = field<std::string>(json, "target_delimiter");
  if (json.contains("answer_tokens"))
    sample.answer_tokens = number<std::int64_t>(json, "answer_tokens");
  sample.prompt_sha256 = field<std::string>(json, "prompt_sha256");
}

}  // namespace niah::tasks
