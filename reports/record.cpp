#include "reports/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "reports/json_fields.h"

namespace niah::reports {
namespace {

using nlohmann::json;

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::vector<std::string> valid_utf8_of(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(valid_utf8(text));
  return out;
}

void refuse_contradictions(const Record& record) {
  if (record.kind != "recall" && record.kind != "reasoning")
    throw DataError(
        fmt::format("reading a record: the field 'kind' is \"{}\", expected \"recall\" "
                    "or \"reasoning\"",
                    record.kind.substr(0, 40)));
  if (record.outcome.empty())
    throw DataError(
        "reading a record: the field 'outcome' is empty, expected \"scored\" or why not");
  // A sample that failed before its prompt was built has no hash; a scored sample always has one.
  if (!is_sha256(record.prompt_sha256) && (record.scored() || !record.prompt_sha256.empty()))
    throw DataError(
        "reading a record: the field 'prompt_sha256' is not a SHA-256 of 64 lower-case hex digits");
  if (record.scored() && (record.miss == "hit") != (record.score >= 1))
    throw DataError(fmt::format("reading a record: 'score' {} and 'miss' \"{}\" contradict",
                                record.score, record.miss.substr(0, 40)));
}

}  // namespace

bool is_asked_again(std::string_view outcome) {
  constexpr std::array<std::string_view, 4> kPassing = {"oom", "failed", "cut", "refused"};
  return std::find(kPassing.begin(), kPassing.end(), outcome) != kPassing.end();
}

void to_json(json& json, const Record& record) {
  json = {{"kind", record.kind},
          {"variant", record.variant},
          {"protocol", record.protocol},
          {"task", record.task},
          {"length", record.length},
          {"index", record.index},
          {"depth", record.depth},
          {"real_depth", record.real_depth},
          {"prompt_tokens", record.prompt_tokens},
          {"real_length", record.real_length},
          {"prompt_sha256", record.prompt_sha256},
          {"outcome", record.outcome},
          {"detail", valid_utf8(record.detail)},
          {"score", record.score},
          {"miss", record.miss},
          {"expected", valid_utf8_of(record.expected)},
          {"text", valid_utf8(record.text)},
          {"ids", record.ids},
          {"computed_tokens", record.computed_tokens},
          {"seconds", record.seconds}};
  if (record.value_log_prob && std::isfinite(*record.value_log_prob))
    json["value_log_prob"] = *record.value_log_prob;
  if (record.value_rank) json["value_rank"] = *record.value_rank;
  if (record.same_again) json["same_again"] = *record.same_again;
  if (!record.again_failed.empty()) json["again_failed"] = valid_utf8(record.again_failed);
  if (!record.answered_by.empty()) json["answered_by"] = valid_utf8(record.answered_by);
}

void from_json(const json& json, Record& record) {
  FieldReader read(json, "a record");
  record.kind = read.text("kind");
  record.variant = read.text("variant");
  record.protocol = read.text("protocol");
  record.task = read.text("task");
  record.length = read.integer("length");
  record.index = read.integer("index");
  record.depth = read.number("depth", 0, 100);
  record.real_depth = read.number("real_depth", 0, 100);
  record.prompt_tokens = read.integer("prompt_tokens");
  record.real_length = read.integer("real_length");
  record.prompt_sha256 = read.text("prompt_sha256");
  record.outcome = read.text("outcome");
  record.detail = read.text("detail");
  record.score = read.number("score", 0, 1);
  record.miss = read.text("miss");
  record.expected = read.texts("expected");
  record.text = read.text("text");
  record.ids = read.integers("ids");
  record.value_log_prob = read.optional_number("value_log_prob", -kUnbounded, 0);
  record.value_rank = read.optional_integer("value_rank", 1);
  record.computed_tokens = read.integer("computed_tokens");
  record.seconds = read.number("seconds", 0, kUnbounded);
  record.same_again = read.optional_bool("same_again");
  record.again_failed = read.text_or("again_failed", "");
  record.answered_by = read.text_or("answered_by", "");
  read.refuse_unknown();
  refuse_contradictions(record);
}

}  // namespace niah::reports
