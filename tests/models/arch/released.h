// Released checkpoints: their configs and what is known of them, without any weights.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace niah::models {

using Shape = std::vector<std::int64_t>;

/// A released checkpoint: how large it is, and some of its tensors.
struct Released {
  std::string name;
  nlohmann::json config;
  std::int64_t parameters;
  std::size_t tensors;
  std::string pattern;
  std::map<std::string, Shape> shapes;
  bool is_tied = true;  ///< its embedding is its output projection
};

/// A list of layers that are `otherwise`, but for those named.
nlohmann::json pattern(std::int64_t layers, const std::string& otherwise,
                       const std::map<std::string, std::set<std::int64_t>>& named);

/// Checks that the config asks for these parameters, tensors and layers.
void expect_released(const Released& released);

/// Its name as gtest wants it: letters and digits.
std::string test_name(const Released& released);

/// Released checkpoints of the families that came after HypeNet and Jet-Nemotron.
std::vector<Released> released_families();

/// The one of them with this name.
Released released_family(const std::string& name);

}  // namespace niah::models
