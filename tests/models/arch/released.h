// Released checkpoints: their configs and known properties, without weights.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <string>
#include <vector>

namespace niah::models {

using Shape = std::vector<std::int64_t>;

/// A released checkpoint: its size, layers and some of its tensors.
struct Released {
  std::string name;
  nlohmann::json config;
  std::int64_t parameters;
  std::size_t tensors;
  std::string pattern;
  std::map<std::string, Shape> shapes;
  bool is_tied = true;  ///< its embedding is its output projection
};

/// A list of layer kinds: the keys of `named` at the layer indices they map to, `otherwise`
/// elsewhere.
nlohmann::json pattern(std::int64_t layers, const std::string& otherwise,
                       const std::map<std::string, std::set<std::int64_t>>& named);

/// Expects that a model of this config has these parameters, tensors and layers.
void expect_released(const Released& released);

/// Its name as a gtest parameter name, which may only have letters and digits.
std::string test_name(const Released& released);

/// How gtest prints it.
void PrintTo(const Released& released, std::ostream* out);

/// Released checkpoints of families other than HypeNet and Jet-Nemotron.
std::vector<Released> released_families();

/// The one with this name.
Released released_family(const std::string& name);

}  // namespace niah::models
