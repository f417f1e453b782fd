// A view of a JSON node that knows its path in the file, so that error messages can name it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace niah::models {

/// Parses untrusted JSON text; `file` names it in errors. Throws DataError naming the byte of a
/// syntax error or a duplicate key; also for a Git LFS pointer and for nesting too deep for
/// recursion.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file);

/// A value as one short line for error messages.
std::string shown_json(const nlohmann::json& node);

/// A node of a parsed JSON file. The document and `file` must outlive it. Accessors throw DataError
/// naming the file, the path of the node, what was found and what was expected.
class JsonView {
 public:
  JsonView(const nlohmann::json& node, const std::filesystem::path& file, std::string path = "$")
      : node_(&node), file_(&file), path_(std::move(path)) {}

  /// The member `key` of an object, which must exist.
  JsonView at(std::string_view key) const;
  /// The member `key` of an object, or nullopt if it is missing or null.
  std::optional<JsonView> find(std::string_view key) const;
  /// The elements of an array.
  std::vector<JsonView> elements() const;

  bool is_zero() const { return node_->is_number() && node_->get<double>() == 0; }
  bool is_object() const { return node_->is_object(); }

  const std::string& string() const;
  bool boolean() const;
  /// An integer in [0, 2^31): an id or an index.
  std::int32_t id() const;
  /// The array or object itself, for loops in which a path per element would cost too much.
  const nlohmann::json& array() const;
  const nlohmann::json& object() const;

  /// The member `key` of an object, or `fallback` if it is missing or null.
  std::string string_or(std::string_view key, std::string fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;

  /// Throws DataError: "reading FILE: PATH PROBLEM".
  [[noreturn]] void fail(const std::string& problem) const;

 private:
  const nlohmann::json* node_;
  const std::filesystem::path* file_;
  std::string path_;
};

}  // namespace niah::models
