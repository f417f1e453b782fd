// YAML read so that nothing is ignored: every key is asked for by its name and type, and what was
// not asked for is an error with file, line, column and the nearest valid name.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/numbers.h"

namespace niah {

/// A YAML value as JSON: plain scalars are null, true, false, numbers or else text; quoted ones are
/// text.
nlohmann::json yaml_to_json(const YAML::Node& node);

/// Parses the value of an option as YAML; `option` names it in errors. Throws UsageError, as
/// YamlMap::parse does.
YAML::Node parse_yaml_value(const std::string& text, const std::string& option);

/// A mapping of a YAML file. Scalars have one meaning each: integers are decimal without leading
/// zeros, lengths may end in K or M (x 1024), booleans are true and false only, text is anything
/// else. All accessors throw UsageError "file:line:column: key.path: found, expected".
class YamlMap {
 public:
  /// Parses `text`, one document whose root is a mapping. Refuses, with their places: duplicate
  /// keys (with both), keys that are not plain words, merge keys, a second document, bytes that are
  /// not UTF-8, and excessive nesting or repetition by aliases. `edit` may change the parsed tree
  /// before it is checked (overrides of the command line) and returns the paths that it changed:
  /// errors in those name the option instead of the file.
  using Edit = std::function<std::set<std::string>(YAML::Node)>;
  static YamlMap parse(const std::string& text, const std::string& file, const Edit& edit = {});
  /// Reads and parses a file. Throws DataError when it cannot be read.
  static YamlMap read(const std::filesystem::path& path);

  bool has(const std::string& key) const;
  /// Whether a list under `key` has elements, or there is another value; marks the key as read.
  bool has_any(const std::string& key);
  /// Whether `edit` set the value of `key`.
  bool is_edited(const std::string& key) const { return edited_.contains(full(key)); }
  std::string text(const std::string& key);
  std::string text(const std::string& key, const std::string& fallback);
  std::int64_t integer(const std::string& key, IntegerRange range = {});
  std::int64_t integer(const std::string& key, std::int64_t fallback, IntegerRange range = {});
  double number(const std::string& key, NumberRange range = {});
  double number(const std::string& key, double fallback, NumberRange range = {});
  bool boolean(const std::string& key, bool fallback);
  /// One of a few words.
  std::string choice(const std::string& key, const std::string& fallback,
                     const std::vector<std::string>& words);
  /// One length or a list of lengths, each as parse_length_range() reads it: 4096, 4K, 4K..64K.
  std::vector<std::int64_t> lengths(const std::string& key);
  /// A list of texts; a single text counts as a list of one.
  std::vector<std::string> texts(const std::string& key);
  /// The mapping under `key`; throws when it is missing or not a mapping.
  YamlMap map(const std::string& key);
  std::optional<YamlMap> optional_map(const std::string& key);
  /// A list whose elements are mappings.
  std::vector<YamlMap> maps(const std::string& key);
  /// The raw node under `key`, for values with several forms; marks the key as read.
  YAML::Node raw(const std::string& key);
  /// Keys in file order.
  std::vector<std::string> keys() const;

  /// Refuses keys that were never asked for. Call it when everything known has been read.
  void finish() const;

  /// From here on, this map and those in it keep their errors for throw_problems(): where the value
  /// of an optional key is wrong, its default is taken; finish() keeps every unknown key; attempt()
  /// keeps whatever else is wrong.
  void keep_problems() { problems_ = std::make_shared<std::vector<std::string>>(); }
  /// Calls read(); a UsageError is kept if keep_problems() was called. Returns whether nothing was
  /// wrong.
  template <typename Read>
  bool attempt(const Read& read) const {
    const std::size_t before = problems_ ? problems_->size() : 0;
    try {
      read();
    } catch (const UsageError& error) {
      if (!problems_) throw;
      keep(error);
    }
    return !problems_ || problems_->size() == before;
  }
  /// Throws UsageError when there was one problem, ListedUsageError when there were several.
  void throw_problems() const;

  /// "file:line:column: key.path" of `key` (or of the mapping when the key is absent), or the
  /// option that put it there.
  std::string place(const std::string& key) const;
  /// Throws UsageError at the place of `key` (or of the mapping when the key is absent).
  [[noreturn]] void refuse(const std::string& key, const std::string& what) const;
  /// Wraps a node that raw() gave, which must be a mapping.
  YamlMap wrap(const YAML::Node& node, const std::string& path) const;

 private:
  YamlMap(YAML::Node node, std::string file, std::string path, std::set<std::string> edited);
  void keep(const UsageError& error) const;
  /// read() if the key has a value, else `fallback`, which is also taken for a value whose error is
  /// kept.
  template <typename Value, typename Read>
  Value value_or(const std::string& key, const Value& fallback, const Read& read);
  YAML::Node required(const std::string& key);
  std::string scalar(const YAML::Node& node, const std::string& key, const char* expected) const;
  std::string where(const YAML::Mark& mark) const;
  std::string full(const std::string& key) const;
  /// The same of a place in the file.
  std::string place(const std::string& key, const YAML::Mark& mark) const;

  YAML::Node node_;
  std::string file_;
  std::string path_;
  std::set<std::string> edited_;
  std::set<std::string> asked_;
  std::shared_ptr<std::vector<std::string>> problems_;  ///< null: errors are thrown at once
};

/// Returns read(); a UsageError that it throws is thrown again with the place of `key`.
template <typename Read>
auto at_its_place(const YamlMap& map, const std::string& key, const Read& read) {
  try {
    return read();
  } catch (const UsageError& error) {
    map.refuse(key, error.what());
  }
}

}  // namespace niah
