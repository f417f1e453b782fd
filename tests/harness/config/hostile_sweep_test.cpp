// Untrusted sweeps and overrides give one clear line of error, never a crash.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/listed_error.h"
#include "harness/config/sweep.h"
#include "tests/paths.h"
#include "tests/with_edits.h"

namespace niah {
namespace {

/// `text` with a few bytes or pieces of YAML inserted, removed or changed.
std::string changed(std::string text, std::mt19937& random) {
  static const std::vector<std::string> pieces = {
      "- ",   ": ",     "{",    "}",    "[",   "]",      "\n",   "\n  ",
      "null", "~",      "-1",   "1e99", "4K",  "true",   "&a",   "*a",
      "\"",   "'",      "0x10", "\t",   "<<:", "!!str ", ".nan", "9223372036854775808",
      "s1",   "qk-pro", "\xFF", ", "};
  return with_edits(std::move(text), random, pieces, 12);
}

/// Whether `read` succeeds; otherwise it must throw an Error with a message of one line, or with a
/// list of them.
template <typename Read>
bool accepts(const Read& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    const auto* list = dynamic_cast<const ErrorList*>(&error);
    for (const std::string& message :
         list == nullptr ? std::vector<std::string>{error.what()} : list->lines()) {
      EXPECT_FALSE(message.empty());
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_LT(message.size(), 4000U);
    }
    return false;
  }
}

TEST(HostileSweep, AnyBytesOfAConfigMayBeWrong) {
  const std::string good = read_file(NIAH_SOURCE_DIR "/configs/reference.yaml", "test");
  std::mt19937 random(7);
  int accepted = 0, refused = 0;
  for (int round = 0; round < 1500; ++round) {
    const std::string text = changed(good, random);
    const bool sound = accepts([&] {
      const SweepConfig sweep = parse_sweep(text, "s.yaml", "/configs", {});
      // An accepted sweep can be written and read again.
      const std::string kept = sweep_to_json(sweep);
      EXPECT_EQ(sweep_to_json(parse_sweep(kept, "plan.json", "/", {})), kept) << text;
    });
    ++(sound ? accepted : refused);
  }
  EXPECT_GT(refused, 300);
  EXPECT_GT(accepted, 50) << "comments can be changed at will";
}

TEST(HostileSweep, OverridesMayBeAnything) {
  const std::string good =
      "name: x\ntasks: [s1]\nlengths: [4K]\nsamples: 1\nmodels: [{name: m, base: b, sft: s}]\n";
  const std::vector<std::string> overrides = {"samples=3",
                                              "runtime.dtype=fp32",
                                              "lengths=[4K, 8K]",
                                              "models.0.base=/x",
                                              "reasoning.samples=",
                                              "haystack={kind: kjv}",
                                              "models.0.variants=[base, {method: qk-pro}]"};
  std::mt19937 random(8);
  int accepted = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::string text = changed(overrides[random() % overrides.size()], random);
    const bool sound =
        accepts([&] { parse_sweep(good, "s.yaml", "/configs", {parse_override(text)}); });
    ++(sound ? accepted : refused);
    accepts([&] {
      nlohmann::json fields = nlohmann::json::object();
      add_config_override(fields, text);
    });
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(accepted, 10);
}

}  // namespace
}  // namespace niah
