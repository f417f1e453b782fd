// A run as `niah run` leaves it, with records that a test makes up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/base/files.h"
#include "harness/plan/run_mark.h"
#include "reports/export/results_json.h"
#include "tests/reports/synthetic_run.h"

namespace niah {

/// 200 samples of S2 at 4K and at 64K, all of them hits.
struct PlayedRun {
  static constexpr std::int64_t kSamples = 200;
  using Record = reports::Record;

  reports::RunInfo info = reports::nightly_info();
  std::vector<Record> records;

  PlayedRun() {
    info.arithmetic = {{"device", "cpu"}, {"dtype", "fp32"}};
    info.finished = "2026-01-28T02:00:00Z";
    for (const std::int64_t length : info.lengths) {
      info.planned.push_back({"recall", "s2", length, kSamples, false});
      for (std::int64_t i = 0; i < kSamples; ++i)
        records.push_back(reports::synthetic_record("f-base", "s2", length, i));
    }
  }
  /// Changes every record for which `is_changed` holds.
  void change(const std::function<bool(const Record&)>& is_changed,
              const std::function<Record(Record)>& to) {
    for (Record& record : records)
      if (is_changed(record)) record = to(record);
  }
  void lose(const std::function<bool(const Record&)>& is_lost) {
    change(is_lost, [](const Record& record) { return reports::missed(record); });
  }
  void allow_early_ends() {
    for (reports::PlannedCell& cell : info.planned) cell.may_end_early = true;
  }
  void drop(const std::function<bool(const Record&)>& is_dropped) {
    std::erase_if(records, is_dropped);
  }

  void write_journal(const std::filesystem::path& folder) const {
    std::string lines;
    for (const Record& record : records) lines += nlohmann::json(record).dump() + "\n";
    write_file(folder / "journal.jsonl", lines);
  }
  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    write_file(folder / "plan.json", nlohmann::json(info).dump());
    write_journal(folder);
    reports::Results results = reports::collect(info, records);
    results.journal_records = static_cast<std::int64_t>(records.size());
    write_file(folder / "results.json", reports::results_json(results, reports::analyse(results)));
    mark_ended(folder, info.config_json);
  }
};

}  // namespace niah
