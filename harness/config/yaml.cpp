#include "harness/config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/text.h"
#include "harness/base/units.h"

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

constexpr std::size_t kLargestFile = std::size_t{4} << 20;
/// Deeper than any config, and shallow enough for the stack.
constexpr int kDeepest = 64;
/// Values of a config with every alias written out.
constexpr std::int64_t kMostValues = 100'000;

/// "3:7" of a byte of the text.
std::string line_and_column(std::string_view text, std::size_t at) {
  const TextPlace place = place_of_byte(text, at);
  return fmt::format("{}:{}", place.line, place.column);
}

/// The text without a byte order mark. Throws UsageError for what is no text.
std::string_view plain_text(std::string_view text, const std::string& file) {
  if (text.size() > kLargestFile)
    throw UsageError(fmt::format("{}: {} bytes; a config of at most {} was expected", file,
                                 format_count(static_cast<std::int64_t>(text.size())),
                                 format_bytes(static_cast<double>(kLargestFile))));
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos)
    throw UsageError(fmt::format("{}:{}: a NUL byte; a text file in UTF-8 was expected", file,
                                 line_and_column(text, at)));
  const std::string valid = valid_utf8(text);
  if (valid == text) return text;
  const auto at = std::mismatch(text.begin(), text.end(), valid.begin(), valid.end()).first;
  const std::string place = line_and_column(text, static_cast<std::size_t>(at - text.begin()));
  throw UsageError(
      fmt::format("{}:{}: these bytes are not UTF-8; save the file as UTF-8", file, place));
}

std::string place_of(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return file;
  return fmt::format("{}:{}:{}", file, mark.line + 1, mark.column + 1);
}

/// Where a document begins, where the first thing in it, and which of its lists and mappings have
/// not ended.
class DocumentProbe final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    start_ = mark;
    content_.reset();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { note(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    note(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    note(mark);
    open_.push_back(mark);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    note(mark);
    open_.push_back(mark);
  }
  void OnMapEnd() override { open_.pop_back(); }

  const YAML::Mark& start() const { return start_; }
  /// Nullopt: the document is empty.
  const std::optional<YAML::Mark>& content() const { return content_; }
  /// What contains the place that was read last, outermost first.
  const std::vector<YAML::Mark>& open() const { return open_; }

 private:
  void note(const YAML::Mark& mark) {
    if (!content_) content_ = mark;
  }

  YAML::Mark start_;
  std::optional<YAML::Mark> content_;
  std::vector<YAML::Mark> open_;
};

/// yaml-cpp says of a list without its bracket where something else came instead; what has to be
/// mended is where the list begins.
[[noreturn]] void refuse_unclosed(const YAML::ParserException& error, const DocumentProbe& probe) {
  const bool is_list = error.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW;
  const bool is_unclosed = is_list || error.msg == YAML::ErrorMsg::END_OF_MAP_FLOW;
  if (!is_unclosed || probe.open().empty()) throw error;
  const YAML::Mark& begin = probe.open().back();
  // At the end of the file yaml-cpp may name its beginning.
  const std::string until =
      error.mark.pos <= begin.pos
          ? ""
          : fmt::format(" (looked for up to {}:{})", error.mark.line + 1, error.mark.column + 1);
  throw YAML::ParserException(begin, fmt::format("the {} that begins here with {} has no {}{}",
                                                 is_list ? "list" : "mapping", is_list ? "[" : "{",
                                                 is_list ? "]" : "}", until));
}

/// The only document of `text`. Throws UsageError when anything else follows, and YAML::Exception.
/// Not by YAML::LoadAll: of a lone comma yaml-cpp makes empty documents without end.
YAML::Node only_document(const std::string& text, const std::string& file) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentProbe probe;
  const auto has_next = [&] {
    try {
      return parser.HandleNextDocument(probe);
    } catch (const YAML::ParserException& error) {
      refuse_unclosed(error, probe);
    }
  };
  for (int before = -1, index = 0; has_next(); ++index) {
    if (probe.start().pos == before)
      throw UsageError(fmt::format("{}: nothing can begin here", place_of(file, probe.start())));
    before = probe.start().pos;
    if (index > 0 && probe.content())
      throw UsageError(
          fmt::format("{}: a second document begins here (after ---); a config is "
                      "one, put each into a file of its own",
                      place_of(file, *probe.content())));
  }
  return YAML::Load(text);
}

/// Refuses what the same text could mean two things by.
void check_keys(const YAML::Node& map, const std::string& file, const std::string& path) {
  std::map<std::string, YAML::Mark> seen;
  for (const auto& entry : map) {
    const std::string place = place_of(file, entry.first.Mark());
    if (!entry.first.IsScalar())
      throw UsageError(fmt::format("{}: a key must be a plain word", place));
    const std::string& key = entry.first.Scalar();
    const std::string name = path.empty() ? key : path + "." + key;
    if (key == "<<")
      throw UsageError(
          fmt::format("{}: {}: merge keys (<<) are not read; write the keys out", place, name));
    const auto [first, fresh] = seen.emplace(key, entry.first.Mark());
    if (!fresh)
      throw UsageError(fmt::format("{}: {}: this key was already given at {}", place, name,
                                   place_of(file, first->second)));
  }
}

/// Checks every mapping below `node`. `budget` is how many values there may still be.
void check_tree(const YAML::Node& node, const std::string& file, const std::string& path, int depth,
                std::int64_t& budget) {
  if (depth > kDeepest)
    throw UsageError(fmt::format("{}: nested more than {} deep, or an alias within itself",
                                 place_of(file, node.Mark()), kDeepest));
  if (--budget < 0)
    throw UsageError(fmt::format("{}: more than {} values, with every alias written out",
                                 place_of(file, node.Mark()), format_count(kMostValues)));
  if (node.IsSequence())
    for (std::size_t i = 0; i < node.size(); ++i)
      check_tree(node[i], file, fmt::format("{}[{}]", path, i), depth + 1, budget);
  if (!node.IsMap()) return;
  check_keys(node, file, path);
  for (const auto& entry : node) {
    const std::string& key = entry.first.Scalar();
    check_tree(entry.second, file, path.empty() ? key : path + "." + key, depth + 1, budget);
  }
}

void check_tree(const YAML::Node& root, const std::string& file) {
  std::int64_t budget = kMostValues;
  check_tree(root, file, "", 0, budget);
}

/// Whether `word` is `meant` but for one letter, or for their order.
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
    const YAML::Node value = only_document(std::string(plain_text(text, option)), option);
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
    const YAML::Node root = only_document(std::string(plain_text(text, file)), file);
    const YamlMap map(root, file, "", edit && root.IsMap() ? edit(root) : std::set<std::string>{});
    check_tree(root, file);
    return map;
  } catch (const YAML::Exception& error) {
    throw UsageError(fmt::format("{}: not valid YAML: {}", place_of(file, error.mark), error.msg));
  }
}

YamlMap YamlMap::read(const std::filesystem::path& path) {
  return parse(read_file(path, "reading the config"), path.string());
}

std::string YamlMap::where(const YAML::Mark& mark) const { return place_of(file_, mark); }

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

YAML::Node YamlMap::raw(const std::string& key) {
  asked_.insert(key);
  const YAML::Node& self = node_;  // a const lookup does not create the key
  return self[key];
}

YAML::Node YamlMap::required(const std::string& key) {
  YAML::Node value = raw(key);
  if (value.IsDefined() && !value.IsNull()) return value;
  if (value.IsDefined()) refuse(key, "this key is required, and has no value");
  for (const auto& entry : node_) {  // a misspelt key is missed before it is found to be unknown
    const std::string other = entry.first.Scalar();
    if (!asked_.contains(other) && is_slip(other, key))
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

std::string YamlMap::text(const std::string& key, const std::string& fallback) {
  asked_.insert(key);
  return has(key) ? text(key) : fallback;
}

std::int64_t YamlMap::integer(const std::string& key, IntegerRange range) {
  const YAML::Node node = required(key);
  const std::string text = scalar(node, key, "an integer");
  const auto value = parse_integer(text, range);
  if (!value) refuse(key, fmt::format("expected {}, got {}", range_text(range, text), shown(node)));
  return *value;
}

std::int64_t YamlMap::integer(const std::string& key, std::int64_t fallback, IntegerRange range) {
  asked_.insert(key);
  return has(key) ? integer(key, range) : fallback;
}

double YamlMap::number(const std::string& key, NumberRange range) {
  const YAML::Node node = required(key);
  const auto value = parse_number(scalar(node, key, "a number"), range);
  if (!value) refuse(key, fmt::format("expected {}, got {}", range_text(range), shown(node)));
  return *value;
}

double YamlMap::number(const std::string& key, double fallback, NumberRange range) {
  asked_.insert(key);
  return has(key) ? number(key, range) : fallback;
}

bool YamlMap::boolean(const std::string& key, bool fallback) {
  asked_.insert(key);
  if (!has(key)) return fallback;
  const std::string text = scalar(node_[key], key, "true or false");
  if (text == "true") return true;
  if (text == "false") return false;
  refuse(key, fmt::format("expected true or false, got '{}'", text));
}

std::vector<std::int64_t> YamlMap::lengths(const std::string& key) {
  std::vector<std::int64_t> out;
  for (const std::string& text : texts(key)) {
    const auto length = parse_length(text);
    if (!length)
      refuse(key, fmt::format("expected a length such as 4096 or 4K, up to {}, got '{}'",
                              format_length(kLongestLength), valid_utf8(text)));
    out.push_back(*length);
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
  return YamlMap(node, file_, full(path), edited_);
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
    throw UsageError(
        fmt::format("{}: unknown key{}", place(key, entry.first.Mark()), did_you_mean(key, known)));
  }
}

}  // namespace niah
