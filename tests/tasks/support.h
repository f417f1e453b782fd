// Helpers shared by the tests of this folder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/code_points.h"
#include "tasks/haystack/sources.h"
#include "tasks/protocol.h"
#include "tests/machine.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::tasks::test {

/// The objects of a JSON Lines file in tests/data/protocol.
inline std::vector<nlohmann::json> read_jsonl(const std::filesystem::path& path) {
  std::vector<nlohmann::json> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) rows.push_back(nlohmann::json::parse(line));
  if (rows.empty()) throw std::runtime_error("no test data in " + path.string());
  return rows;
}

inline std::filesystem::path data_file(std::string_view name) {
  return std::filesystem::path(NIAH_TEST_DATA) / "protocol" / name;
}

/// A token counter whose tokens are words separated by ASCII white space; counts are additive.
inline std::int64_t count_words(std::string_view text) {
  std::int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = is_ascii_white_space(c);
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}

/// A token counter whose counts are not additive: tokens of three bytes after one special token.
inline std::int64_t count_triples(std::string_view text) {
  return 1 + (static_cast<std::int64_t>(text.size()) + 2) / 3;
}

inline std::shared_ptr<const Haystack> prose() {
  return open_haystack({.kind = HaystackKind::kProse, .path = {}});
}

/// The part of its text, from 0 to 1, for which a cell's first sample is like its second one.
inline double common_part(const Cell& cell) {
  const std::string a = cell.sample(0).input, b = cell.sample(1).input;
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<double>(end - a.begin()) / static_cast<double>(a.size());
}

}  // namespace niah::tasks::test
