#include "tasks/sample.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"

namespace niah::tasks {
namespace {

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

/// As field(), for numbers: the conversion alone would turn true and 1.5 into integers.
template <typename T>
T number(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  const bool fits = found == json.end() ||
                    (std::is_floating_point_v<T> ? found->is_number() : found->is_number_integer());
  if (!fits) {
    throw DataError(fmt::format("reading a sample: field '{}' is a {}, expected a{} number", name,
                                found->type_name(), std::is_floating_point_v<T> ? "" : " whole"));
  }
  return field<T>(json, name);
}

}  // namespace

std::string Sample::prompt() const {
  std::string text;
  text.reserve(input.size() + 1 + gen_prefix.size());
  text += input;
  text += ' ';
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
  const auto needle = field<std::vector<std::int64_t>>(json, "needle");
  if (needle.size() != 2) {
    throw DataError(
        fmt::format("reading a sample: field 'needle' has {} numbers, expected 2", needle.size()));
  }
  sample.needle = {needle[0], needle[1]};
  sample.depth = number<double>(json, "depth");
  sample.real_depth = number<double>(json, "real_depth");
  sample.length = number<std::int64_t>(json, "length");
  sample.haystack_units = number<std::int64_t>(json, "haystack_units");
  sample.prompt_sha256 = field<std::string>(json, "prompt_sha256");
}

}  // namespace niah::tasks
