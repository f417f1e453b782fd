#include "harness/config/yaml_document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "harness/base/units.h"

namespace niah {

std::string yaml_place(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return file;
  return fmt::format("{}:{}:{}", file, mark.line + 1, mark.column + 1);
}

namespace {

constexpr std::size_t kLargestFile = std::size_t{4} << 20;
/// Deeper than any config, and shallow enough for the stack.
constexpr int kDeepest = 64;
/// The most values of a config, with all aliases expanded.
constexpr std::int64_t kMostValues = 100'000;

/// Line and column of a byte of the text: "3:7".
std::string line_and_column(std::string_view text, std::size_t at) {
  const TextPlace place = place_of_byte(text, at);
  return fmt::format("{}:{}", place.line, place.column);
}

/// The text without a byte order mark. Throws UsageError for what is not text.
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

/// Records where a document begins, where the first value in it, and which of its lists and
/// mappings are still open.
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
  /// The lists and mappings around the place that was read last, outermost first.
  const std::vector<YAML::Mark>& open() const { return open_; }

 private:
  void note(const YAML::Mark& mark) {
    if (!content_) content_ = mark;
  }

  YAML::Mark start_;
  std::optional<YAML::Mark> content_;
  std::vector<YAML::Mark> open_;
};

/// For a list without its closing bracket, yaml-cpp names the place where something else came
/// instead; what needs mending is where the list begins.
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
/// Not by YAML::LoadAll: from a lone comma, yaml-cpp makes empty documents without end.
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
      throw UsageError(fmt::format("{}: nothing can begin here", yaml_place(file, probe.start())));
    before = probe.start().pos;
    if (index > 0 && probe.content())
      throw UsageError(
          fmt::format("{}: a second document begins here (after ---); a config is "
                      "one, put each into a file of its own",
                      yaml_place(file, *probe.content())));
  }
  return YAML::Load(text);
}

/// Refuses keys that could be read in two ways: those that are not scalars, merge keys, duplicates.
void check_keys(const YAML::Node& map, const std::string& file, const std::string& path) {
  std::map<std::string, YAML::Mark> seen;
  for (const auto& entry : map) {
    const std::string place = yaml_place(file, entry.first.Mark());
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
                                   yaml_place(file, first->second)));
  }
}

/// Checks every mapping below `node`. `budget`: the number of values still allowed.
void check_tree(const YAML::Node& node, const std::string& file, const std::string& path, int depth,
                std::int64_t& budget) {
  if (depth > kDeepest)
    throw UsageError(fmt::format("{}: nested more than {} deep, or an alias within itself",
                                 yaml_place(file, node.Mark()), kDeepest));
  if (--budget < 0)
    throw UsageError(fmt::format("{}: more than {} values, with every alias written out",
                                 yaml_place(file, node.Mark()), format_count(kMostValues)));
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

}  // namespace

YAML::Node parse_document(std::string_view text, const std::string& file) {
  return only_document(std::string(plain_text(text, file)), file);
}

void check_tree(const YAML::Node& root, const std::string& file) {
  std::int64_t budget = kMostValues;
  check_tree(root, file, "", 0, budget);
}

}  // namespace niah
