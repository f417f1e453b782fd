// A place in a JSON file that knows its own path, so that every complaint can name it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace niah::models {

/// Parses a JSON text that nobody vouches for. Throws DataError naming the file and the byte where
/// it stops being JSON, or the key that is there twice; also for a Git LFS pointer and for what is
/// nested too deeply to be followed by recursion.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file);

/// A value as it may stand in an error message: one short line.
std::string shown_json(const nlohmann::json& node);

/// A node of a parsed JSON file. Cheap to copy; the document must outlive it. Every accessor throws
/// DataError naming the file, the path of the node, what was found and what was expected.
class JsonView {
 public:
  JsonView(const nlohmann::json& node, const std::filesystem::path& file, std::string path = "$")
      : node_(&node), file_(&file), path_(std::move(path)) {}

  /// The member `key`; an error when it is missing.
  JsonView at(std::string_view key) const;
  /// The member `key`, or nullopt when it is missing or null.
  std::optional<JsonView> find(std::string_view key) const;
  /// The elements of an array.
  std::vector<JsonView> elements() const;

  bool is_zero() const { return node_->is_number() && node_->get<double>() == 0; }
  bool is_object() const { return node_->is_object(); }

  const std::string& string() const;
  bool boolean() const;
  /// An integer of [0, 2^31): an id or an index.
  std::int32_t id() const;
  /// The array or object itself, for loops too long for a path per element.
  const nlohmann::json& array() const;
  const nlohmann::json& object() const;

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
