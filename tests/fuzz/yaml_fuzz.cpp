// Fuzz target: arbitrary bytes as a config.
#include "harness/config/yaml.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(yaml) {
  using niah::fuzz::expect_result_or_error;
  expect_result_or_error([&] {
    niah::YamlMap map =
        niah::YamlMap::parse(std::string(niah::fuzz::as_text(data, size)), "fuzz.yaml");
    (void)map.keys();
    expect_result_or_error([&] { (void)map.text("name"); });
    expect_result_or_error([&] { (void)map.texts("tasks"); });
    expect_result_or_error([&] {
      for (const std::int64_t length : map.lengths("lengths")) niah::fuzz::require(length > 0);
    });
    expect_result_or_error([&] { (void)map.integer("samples", 1); });
    expect_result_or_error([&] { (void)map.number("half_width", 0.5); });
    expect_result_or_error([&] { (void)map.boolean("quiet", false); });
    expect_result_or_error([&] {
      for (niah::YamlMap& model : map.maps("models")) {
        (void)model.text("base", "");
        model.finish();
      }
    });
    expect_result_or_error([&] {
      if (auto runtime = map.optional_map("runtime")) runtime->finish();
    });
    map.finish();
  });
  return 0;
}
