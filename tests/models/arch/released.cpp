#include "tests/models/arch/released.h"

#include <gtest/gtest.h>

#include <cctype>

#include "models/registry.h"

namespace niah::models {

nlohmann::json pattern(std::int64_t layers, const std::string& otherwise,
                       const std::map<std::string, std::set<std::int64_t>>& named) {
  nlohmann::json list = nlohmann::json::array();
  for (std::int64_t i = 0; i < layers; ++i) {
    std::string kind = otherwise;
    for (const auto& [name, indexes] : named)
      if (indexes.contains(i)) kind = name;
    list.push_back(kind);
  }
  return list;
}

void expect_released(const Released& released) {
  ShapeSource source;
  const auto model = make_model(released.config, released.name, source);
  EXPECT_EQ(source.parameters(), released.parameters);
  EXPECT_EQ(source.shapes().size(), released.tensors);
  EXPECT_EQ(layer_pattern(model->info()), released.pattern);
  for (const auto& [name, shape] : released.shapes)
    EXPECT_EQ(source.shapes().at(name), shape) << name;
  EXPECT_EQ(source.shapes().contains("lm_head.weight"), !released.is_tied);
}

void PrintTo(const Released& released, std::ostream* out) { *out << released.name; }

std::string test_name(const Released& released) {
  std::string name = released.name;
  std::erase_if(name, [](unsigned char letter) { return std::isalnum(letter) == 0; });
  return name;
}

Released released_family(const std::string& name) {
  for (Released& released : released_families())
    if (released.name == name) return std::move(released);
  ADD_FAILURE() << name << " is none of the released checkpoints";
  return {};
}

}  // namespace niah::models
