#include "harness/config/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/listed_error.h"
#include "harness/base/text.h"
#include "harness/config/ranges.h"
#include "harness/config/yaml_document.h"

namespace niah {
namespace {

std::string shown(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return fmt::format("'{}'", valid_utf8(node.Scalar().substr(0, 60)));
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a mapping";
    default:
      return "nothing";
  }
}

/// Whether `word` differs from `meant` by one letter, or only in the order of letters.
bool is_slip(std::string word, std::string meant) {
  if (edit_distance(word, meant) <= 1) return true;
  std::sort(word.begin(), word.end());
  std::sort(meant.begin(), meant.end());
  return word == meant;
}

}  // namespace

nlohmann::json yaml_to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    auto object = nlohmann::json::object();
    for (const auto& item : node) object[item.first.Scalar()] = yaml_to_json(item.second);
    return object;
  }
  if (node.IsSequence()) {
    auto list = nlohmann::json::array();
    for (const auto& item : node) list.push_back(yaml_to_json(item));
    return list;
  }
  if (!node.IsDefined() || node.IsNull()) return nullptr;
  if (node.Tag() == "!") return node.Scalar();  // quoted
  auto value = nlohmann::json::parse(node.Scalar(), nullptr, /*allow_exceptions=*/false);
  const bool plain = value.is_number() || value.is_boolean();
  return plain ? value : nlohmann::json(node.Scalar());
}

YAML::Node parse_yaml_value(const std::string& text, const std::string& option) {
  try {
    const YAML::Node value = parse_document(text, option);
    check_tree(value, option);
    return value;
  } catch (const YAML::Exception& error) {
    throw UsageError(fmt::format("{}: the value is not valid YAML: {}", option, error.msg));
  }
}

YamlMap::YamlMap(YAML::Node node, std::string file, std::string path, std::set<std::string> edited)
    : node_(std::move(node)),
      file_(std::move(file)),
      path_(std::move(path)),
      edited_(std::move(edited)) {
  if (!node_.IsMap())
    throw UsageError(fmt::format("{}: a mapping (key: value) was expected, found {}",
                                 path_.empty() ? where(node_.Mark()) : place("", node_.Mark()),
                                 shown(node_)));
}

YamlMap YamlMap::parse(const std::string& text, const std::string& file, const Edit& edit) {
  try {
    const YAML::Node root = parse_document(text, file);
    const YamlMap map(root, file, "", edit && root.IsMap() ? edit(root) : std::set<std::string>{});
    check_tree(root, file);
    return map;
  } catch (const YAML::Exception& error) {
    throw UsageError(
        fmt::format("{}: not valid YAML: {}", yaml_place(file, error.mark), error.msg));
  }
}

YamlMap YamlMap::read(const std::filesystem::path& path) {
  return parse(read_file(path, "reading the config"), path.string());
}

std::string YamlMap::where(const YAML::Mark& mark) const { return yaml_place(file_, mark); }

std::string YamlMap::full(const std::string& key) const {
  return path_.empty() ? key : key.empty() ? path_ : path_ + "." + key;
}

std::string YamlMap::place(const std::string& key, const YAML::Mark& mark) const {
  const std::string path = full(key);
  for (const std::string& edited : edited_)
    if (path == edited || path.starts_with(edited + ".") || path.starts_with(edited + "["))
      return fmt::format("--set {}", path);
  return fmt::format("{}: {}", where(mark), path);
}

std::string YamlMap::place(const std::string& key) const {
  const YAML::Node value = node_[key];
  return place(key, value.IsDefined() ? value.Mark() : node_.Mark());
}

void YamlMap::refuse(const std::string& key, const std::string& what) const {
  throw UsageError(fmt::format("{}: {}", place(key), what));
}

bool YamlMap::has(const std::string& key) const {
  const YAML::Node value = node_[key];
  return value.IsDefined() && !value.IsNull();
}

bool YamlMap::has_any(const std::string& key) {
  asked_.insert(key);
  return has(key) && !(node_[key].IsSequence() && node_[key].size() == 0);
}

YAML::Node YamlMap::raw(const std::string& key) {
  asked_.insert(key);
  const YAML::Node& self = node_;  // a const lookup does not create the key
  return self[key];
}

YAML::Node YamlMap::required(const std::string& key) {
  YAML::Node value = raw(key);
  if (value.IsDefined() && !value.IsNull()) return value;
  if (value.IsDefined()) refuse(key, "this key is required, and has no value");
  for (const auto& entry : node_) {  // it may be there, but misspelt
    const std::string other = entry.first.Scalar();
    if (!asked_.contains(other) && is_slip(other, key) && asked_.insert(other).second)
      throw UsageError(fmt::format("{}: unknown key, did you mean '{}'? That one is required",
                                   place(other, entry.first.Mark()), key));
  }
  refuse(key, "this key is required");
}

std::string YamlMap::scalar(const YAML::Node& node, const std::string& key,
                            const char* expected) const {
  if (!node.IsScalar()) refuse(key, fmt::format("expected {}, got {}", expected, shown(node)));
  return node.Scalar();
}

std::string YamlMap::text(const std::string& key) { return scalar(required(key), key, "text"); }

template <typename Value, typename Read>
Value YamlMap::value_or(const std::string& key, const Value& fallback, const Read& read) {
  asked_.insert(key);
  Value value = fallback;
  if (has(key)) attempt([&] { value = read(); });
  return value;
}

std::string YamlMap::text(const std::string& key, const std::string& fallback) {
  return value_or(key, fallback, [&] { return text(key); });
}

std::int64_t YamlMap::integer(const std::string& key, IntegerRange range) {
  const YAML::Node node = required(key);
  const std::string text = scalar(node, key, "an integer");
  const auto value = parse_integer(text, range);
  if (!value) refuse(key, fmt::format("expected {}, got {}", range_text(range, text), shown(node)));
  return *value;
}

std::int64_t YamlMap::integer(const std::string& key, std::int64_t fallback, IntegerRange range) {
  return value_or(key, fallback, [&] { return integer(key, range); });
}

double YamlMap::number(const std::string& key, NumberRange range) {
  const YAML::Node node = required(key);
  const auto value = parse_number(scalar(node, key, "a number"), range);
  if (!value) refuse(key, fmt::format("expected {}, got {}", range_text(range), shown(node)));
  return *value;
}

double YamlMap::number(const std::string& key, double fallback, NumberRange range) {
  return value_or(key, fallback, [&] { return number(key, range); });
}

bool YamlMap::boolean(const std::string& key, bool fallback) {
  return value_or(key, fallback, [&] {
    const std::string text = scalar(node_[key], key, "true or false");
    if (text != "true" && text != "false")
      refuse(key, fmt::format("expected true or false, got '{}'", text));
    return text == "true";
  });
}

std::string YamlMap::choice(const std::string& key, const std::string& fallback,
                            const std::vector<std::string>& words) {
  return value_or(key, fallback, [&] {
    const std::string word = text(key);
    if (std::find(words.begin(), words.end(), word) == words.end())
      refuse(key, fmt::format("expected {} or {}, got '{}'{}",
                              fmt::join(words.begin(), words.end() - 1, ", "), words.back(),
                              valid_utf8(cut_short(word, 60)), did_you_mean(word, words)));
    return word;
  });
}

std::vector<std::int64_t> YamlMap::lengths(const std::string& key) {
  std::vector<std::int64_t> out;
  for (const std::string& text : texts(key)) {
    const auto some = at_its_place(*this, key, [&] { return parse_length_range(text); });
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

std::vector<std::string> YamlMap::texts(const std::string& key) {
  const YAML::Node node = required(key);
  if (node.IsScalar()) return {node.Scalar()};
  if (!node.IsSequence()) refuse(key, fmt::format("expected a list, got {}", shown(node)));
  std::vector<std::string> out;
  for (const YAML::Node& item : node) {
    if (!item.IsScalar())
      refuse(key, fmt::format("expected a list of words, found {}", shown(item)));
    out.push_back(item.Scalar());
  }
  if (out.empty()) refuse(key, "the list is empty");
  return out;
}

YamlMap YamlMap::wrap(const YAML::Node& node, const std::string& path) const {
  YamlMap map(node, file_, full(path), edited_);
  map.problems_ = problems_;
  return map;
}

YamlMap YamlMap::map(const std::string& key) { return wrap(required(key), key); }

std::optional<YamlMap> YamlMap::optional_map(const std::string& key) {
  asked_.insert(key);
  if (!has(key)) return std::nullopt;
  return map(key);
}

std::vector<YamlMap> YamlMap::maps(const std::string& key) {
  const YAML::Node node = required(key);
  if (!node.IsSequence()) refuse(key, fmt::format("expected a list, got {}", shown(node)));
  std::vector<YamlMap> out;
  for (std::size_t i = 0; i < node.size(); ++i)
    out.push_back(wrap(node[i], fmt::format("{}[{}]", key, i)));
  if (out.empty()) refuse(key, "the list is empty");
  return out;
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> out;
  for (const auto& entry : node_) out.push_back(entry.first.Scalar());
  return out;
}

void YamlMap::finish() const {
  for (const auto& entry : node_) {
    const std::string key = entry.first.Scalar();
    if (asked_.contains(key)) continue;
    const std::vector<std::string> known(asked_.begin(), asked_.end());
    attempt([&] {
      throw UsageError(fmt::format("{}: unknown key{}", place(key, entry.first.Mark()),
                                   did_you_mean(key, known)));
    });
  }
}

void YamlMap::keep(const UsageError& error) const {
  problems_->push_back(single_line(error.what()));
}

void YamlMap::throw_problems() const {
  if (!problems_ || problems_->empty()) return;
  if (problems_->size() == 1) throw UsageError(problems_->front());
  throw ListedUsageError(fmt::format("{}: {} things are wrong", file_, problems_->size()),
                         *problems_);
}

}  // namespace niah
