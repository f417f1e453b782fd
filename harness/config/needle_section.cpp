#include "harness/config/needle_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/numbers.h"
#include "harness/base/path_kind.h"
#include "harness/base/text.h"
#include "harness/config/paths.h"
#include "tasks/protocol.h"
#include "tasks/unicode.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

constexpr IntegerRange kNeedles{1, 20};
constexpr IntegerRange kDistractors{0, 20};
/// Every value is looked for in every other one, and in the haystack.
constexpr std::size_t kMostTokens = 2000;
constexpr std::size_t kLongestName = 40;

constexpr std::pair<tasks::ValueType, const char*> kTypes[] = {
    {tasks::ValueType::kWords, "word"},
    {tasks::ValueType::kNumber, "number"},
    {tasks::ValueType::kUuid, "uuid"}};

const char* type_name(tasks::ValueType type) {
  return std::find_if(std::begin(kTypes), std::end(kTypes),
                      [&](const auto& one) { return one.first == type; })
      ->second;
}

bool has(const std::string& text, std::string_view mark) { return text.find(mark) != text.npos; }

/// The lines of a file that are not blank.
std::vector<std::string> read_lines(YamlMap& map, const fs::path& base) {
  const fs::path path = path_at(map, "file", base);
  if (!is_there(path)) map.refuse("file", "no such file: " + path.string());
  const std::string text = read_file(path, "reading the keys or values of a needle");
  if (valid_utf8(text) != text)
    map.refuse("file", path.string() + " is not UTF-8; convert it (for example with iconv)");
  std::vector<std::string> lines;
  for (const std::string_view line : tasks::split_lines(text))
    if (const std::string_view token = tasks::strip(line); !token.empty())
      lines.emplace_back(token);
  if (lines.empty()) map.refuse("file", path.string() + " holds no line");
  return lines;
}

/// Keys or values: a type, a list, or {file: PATH}.
void read_source(YamlMap& map, const std::string& key, const fs::path& base,
                 tasks::TokenSource& source) {
  const YAML::Node node = map.raw(key);
  if (!map.has(key)) return;
  if (node.IsScalar()) {
    const std::string type = map.choice(key, type_name(source.type), {"word", "number", "uuid"});
    for (const auto& [known, name] : kTypes)
      if (type == name) source.type = known;
    return;
  }
  if (node.IsMap()) {
    YamlMap file = map.map(key);
    source.list = read_lines(file, base);
    file.finish();
  } else {
    source.list = map.texts(key);
  }
  if (source.list.size() > kMostTokens)
    map.refuse(key,
               fmt::format("{} of them; at most {} are read", source.list.size(), kMostTokens));
  std::set<std::string> seen;
  for (const std::string& token : source.list) {
    if (tasks::strip(token) != token || token.empty())
      map.refuse(key, fmt::format("'{}' is blank, or has blanks at an end", token));
    if (!seen.insert(tasks::to_lower(token)).second)
      map.refuse(key, fmt::format("'{}' is listed twice", token));
  }
}

/// A text with `{key}` and `{value}` only where they mean something.
std::string read_words(YamlMap& map, const char* key, bool may_have_value) {
  std::string words = map.text(key);
  if (tasks::strip(words).empty()) map.refuse(key, "it is empty");
  if (!may_have_value && has(words, tasks::kValueMark))
    map.refuse(key, "{value} would tell the answer; it belongs to `text`");
  return words;
}

/// `distractors`: how many needles with other keys, or sentences.
void read_distractors(YamlMap& map, tasks::OwnNeedle& needle) {
  const YAML::Node node = map.raw("distractors");
  if (!map.has_any("distractors")) return;
  if (node.IsScalar()) {
    const auto count = map.integer("distractors", kDistractors);
    if (count > 0 && !has(needle.text, tasks::kKeyMark))
      map.refuse("distractors",
                 "without {key} in `text` they would be needles like any other; list sentences");
    needle.distractors.assign(static_cast<std::size_t>(count), needle.text);
    return;
  }
  needle.distractors = map.texts("distractors");
  if (std::ssize(needle.distractors) > kDistractors.high)
    map.refuse("distractors", fmt::format("at most {} are put into a sample", kDistractors.high));
  for (const std::string& sentence : needle.distractors)
    if (tasks::strip(sentence).empty()) map.refuse("distractors", "one is empty");
}

void require_tokens(const YamlMap& map, const char* key, const tasks::TokenSource& source,
                    int needed) {
  const auto count = std::ssize(source.list);
  if (count > 0 && count < needed)
    map.refuse(key, fmt::format("a sample has {} different ones, and {} {} listed", needed, count,
                                count == 1 ? "is" : "are"));
}

/// Refuses values of which one would be found in another, or in the words of the question: then a
/// wrong answer could be right.
void check_values(const YamlMap& map, const tasks::OwnNeedle& needle) {
  std::vector<std::string> lower;
  for (const std::string& value : needle.values.list) lower.push_back(tasks::to_lower(value));
  for (std::size_t i = 0; i < lower.size(); ++i)
    for (std::size_t j = 0; j < lower.size(); ++j)
      if (i != j && has(lower[j], lower[i]))
        map.refuse(
            "values",
            fmt::format("'{}' is a part of '{}', which would pass for it: an answer is right "
                        "when it contains the value",
                        needle.values.list[i], needle.values.list[j]));
  for (const std::string* words : {&needle.intro, &needle.question, &needle.answer})
    if (const auto value = tasks::value_in_text(needle, *words); !value.empty())
      map.refuse("values", fmt::format("'{}' is also in the words of the question", value));
}

void check_name(const YamlMap& map, const std::string& name) {
  const bool is_plain = !name.empty() && name.size() <= kLongestName &&
                        std::all_of(name.begin(), name.end(), [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                        });
  if (!is_plain)
    map.refuse("name", fmt::format("expected up to {} of a-z, 0-9 and _, got '{}'", kLongestName,
                                   valid_utf8(name)));
  const auto known = tasks::task_names("niah");
  if (std::find(known.begin(), known.end(), tasks::our_task_name(name)) != known.end())
    map.refuse("name", fmt::format("'{}' is a task already", name));
}

tasks::OwnNeedle read_needle(YamlMap map, const fs::path& base) {
  tasks::OwnNeedle needle;
  needle.name = map.text("name", needle.name);
  map.attempt([&] { check_name(map, needle.name); });
  needle.intro = map.text("intro", "");
  needle.separator = map.text("separator", needle.separator);
  bool is_sound = map.attempt([&] { needle.text = read_words(map, "text", true); });
  is_sound &= map.attempt([&] { needle.question = read_words(map, "question", false); });
  is_sound &= map.attempt([&] { needle.answer = read_words(map, "answer", false); });
  is_sound &= map.attempt([&] { read_source(map, "keys", base, needle.keys); });
  is_sound &= map.attempt([&] { read_source(map, "values", base, needle.values); });
  needle.needles = static_cast<int>(map.integer("needles", 1, kNeedles));
  map.raw("distractors");
  map.finish();
  if (!is_sound) return needle;
  if (!has(needle.text, tasks::kValueMark)) map.refuse("text", "it has no {value} to be found");
  read_distractors(map, needle);
  require_tokens(map, "keys", needle.keys, needle.keys_in_sample());
  require_tokens(map, "values", needle.values, needle.values_in_sample());
  const bool has_key = has(needle.text, tasks::kKeyMark);
  if (!has_key && has(needle.question + needle.answer + needle.intro, tasks::kKeyMark))
    map.refuse("text", "it has no {key}, which the question names");
  const bool is_told_apart = !has_key || has(needle.question, tasks::kKeyMark);
  if (needle.keys_in_sample() > needle.needles && !is_told_apart)
    map.refuse("question", "it does not name the {key} that tells the needle from the distractors");
  check_values(map, needle);
  return needle;
}

nlohmann::ordered_json source_json(const tasks::TokenSource& source) {
  if (source.list.empty()) return type_name(source.type);
  return source.list;
}

}  // namespace

std::vector<tasks::OwnNeedle> read_needles(YamlMap& root, const fs::path& base) {
  std::vector<tasks::OwnNeedle> needles;
  if (!root.has_any("needle")) return needles;
  if (root.raw("needle").IsMap()) return {read_needle(root.map("needle"), base)};
  std::set<std::string> names;
  for (const YamlMap& map : root.maps("needle"))
    root.attempt([&] {
      needles.push_back(read_needle(map, base));
      if (!names.insert(needles.back().name).second)
        map.refuse("name", fmt::format("two needles are called '{}'; give one a name of its own",
                                       valid_utf8(needles.back().name)));
    });
  return needles;
}

nlohmann::ordered_json needles_json(const std::vector<tasks::OwnNeedle>& needles) {
  auto list = nlohmann::ordered_json::array();
  for (const tasks::OwnNeedle& needle : needles) {
    nlohmann::ordered_json one = {{"name", needle.name},
                                  {"text", needle.text},
                                  {"question", needle.question},
                                  {"answer", needle.answer},
                                  {"keys", source_json(needle.keys)},
                                  {"values", source_json(needle.values)},
                                  {"needles", needle.needles},
                                  {"separator", needle.separator}};
    if (!needle.intro.empty()) one["intro"] = needle.intro;
    if (!needle.distractors.empty()) one["distractors"] = needle.distractors;
    list.push_back(one);
  }
  return list;
}

}  // namespace niah
