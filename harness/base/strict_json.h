// Parsing of untrusted JSON: bounded depth, no duplicate keys, and a clear error for a Git LFS
// pointer in place of a file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace niah {

/// Why a text is not accepted as JSON, in one line, and the byte where the error was found (from 1;
/// 0 if unknown).
class JsonError : public std::runtime_error {
 public:
  JsonError(const std::string& what, std::size_t byte) : std::runtime_error(what), byte_(byte) {}
  std::size_t byte() const { return byte_; }

 private:
  std::size_t byte_;
};

/// Parses a text. Throws JsonError where it is not JSON, where an object has a key twice (a plain
/// parser keeps one of the two without a word), and where it is nested more than 128 deep
/// (recursive code would overflow its stack).
nlohmann::json parse_strict_json(std::string_view text);

/// Parses a text that must be one object and passes its members to `take` one by one, in order, so
/// that a large object is never in memory as a whole. Throws like parse_strict_json, and JsonError
/// when the text is not an object.
void parse_json_members(
    std::string_view text,
    const std::function<void(const std::string& key, nlohmann::json value)>& take);

/// A value as a message shows it: its JSON on one line, at most `most` bytes of it, and only ASCII
/// where `is_ascii`.
std::string json_line(const nlohmann::json& value, std::size_t most = 80, bool is_ascii = false);

/// Throws DataError where `content`, the content of `path`, is the pointer that Git LFS leaves in
/// place of a file. `doing` names the purpose ("reading the weights").
void refuse_lfs_pointer(std::string_view content, const std::filesystem::path& path,
                        std::string_view doing);

}  // namespace niah
