// Fuzz target: arbitrary bytes as a config.json from which a model is built, without weights.
#include <nlohmann/json.hpp>

#include "models/checkpoint/checkpoint.h"
#include "models/registry.h"
#include "tests/fuzz/support.h"

namespace {

/// Building very many layers, or experts, takes long and says nothing new.
bool is_small(const nlohmann::json& config) {
  constexpr std::int64_t kMost = 64;
  for (const auto& [name, value] : config.items()) {
    if (value.is_object() && !is_small(value)) return false;
    const bool counts = name.find("layers") != name.npos || name.find("experts") != name.npos;
    if (counts && value.is_number() && value.get<double>() > kMost) return false;
  }
  return true;
}

}  // namespace

NIAH_FUZZ_TARGET(architecture) {
  niah::fuzz::expect_result_or_error([&] {
    const nlohmann::json config = niah::models::parse_json_text(
        std::string(niah::fuzz::as_text(data, size)), "fuzz/config.json", "loading");
    if (!config.is_object() || !is_small(config)) return;
    niah::models::ShapeSource shapes;
    const auto model = niah::models::make_model(config, "fuzz/config.json", shapes);
    const niah::models::ModelInfo& info = model->info();
    niah::fuzz::require(model->named_parameters().keys().size() == shapes.shapes().size());
    for (const auto& [tensor, parts] : niah::models::parts_by_tensor(info)) {
      std::int64_t rows = 0;
      for (const auto& part : parts) rows += part.rows.rows.count();
      niah::fuzz::require(rows == shapes.shapes().at(tensor).front());
    }
  });
  return 0;
}
