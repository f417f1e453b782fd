// A sweep of a few short samples, run by fake engines in a temporary folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/run/runner.h"
#include "reports/journal_reader.h"
#include "reports/record.h"
#include "tests/harness/engine/fake_engine.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah {

/// Runs sweeps of the variants base and sft of a fictitious model "m".
class FakeRun : public testing::Test {
 protected:
  /// The sweep, with `more` overriding or adding keys.
  static SweepConfig sweep(const Overrides& more = {}) {
    return parse_sweep(
        "name: fake\nhaystack: {kind: prose}\ntasks: [s1]\nlengths: [1K]\nsamples: 4\n"
        "models: [{name: m, base: base, sft: sft, variants: [base, sft]}]\n"
        "tokenizer: " NIAH_SOURCE_DIR "/models/zoo/tokenizer\n",
        "test", "/", more);
  }
  reports::Report run(const std::vector<FakeSpec>& engines, const SweepConfig& config = sweep(),
                      std::int64_t shard = 1, std::int64_t shards = 1) {
    return run_sweep(config, {out(), /*quiet=*/true, {shard, shards}}, FakeOpener(engines));
  }
  std::filesystem::path out() const { return folder_.path() / "run"; }

  /// The records in the journal's order.
  std::vector<reports::Record> records() const {
    std::vector<reports::Record> all;
    reports::read_records(out() / "journal.jsonl",
                          [&](const reports::Record& record) { all.push_back(record); });
    return all;
  }
  /// The number of records by outcome.
  std::map<std::string, int> outcomes() const {
    std::map<std::string, int> counts;
    for (const reports::Record& record : records()) ++counts[record.outcome];
    return counts;
  }
  /// The number of records by variant.
  std::map<std::string, int> by_variant() const {
    std::map<std::string, int> counts;
    for (const reports::Record& record : records()) ++counts[record.variant];
    return counts;
  }

 private:
  TemporaryFolder folder_;
};

/// One engine with both variants.
inline FakeSpec one_engine(Script script = right) {
  return {.groups = {{"base", "sft"}}, .script = std::move(script)};
}

}  // namespace niah
