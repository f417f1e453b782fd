#include "harness/plan/run_mark.h"

#include <fmt/format.h>

#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>

#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/plan/plan.h"
#include "models/checkpoint/checkpoint.h"
#include "reports/json_fields.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

void write_mark(const fs::path& folder, const LastRun& run) {
  nlohmann::json json = {{"started", run.started}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = valid_utf8(value);
  };
  add("ended", run.ended);
  add("error", run.error);
  add("config_sha256", run.config_sha256);
  if (run.held) json["held"] = valid_utf8(*run.held);
  write_file(folder / kLastRunFile, json.dump(2) + "\n");
}

/// The run in progress. A mark that cannot be read is replaced, not an error: it is the new run's
/// turn to write it.
LastRun begun_run(const fs::path& folder) {
  try {
    if (auto run = read_last_run(folder); run && run->ended.empty()) return *std::move(run);
  } catch (const DataError&) {
  }
  return {.started = utc_now()};
}

/// Whether the folder holds a run, not somebody's plan.json of another kind: there nothing is
/// written.
bool holds_run(const fs::path& folder) {
  if (folder.empty() || !is_there(folder / "plan.json")) return false;
  try {
    read_plan(folder);
    return true;
  } catch (const DataError&) {
    return false;
  }
}

}  // namespace

std::string LastRun::trouble() const {
  if (ended.empty())
    return fmt::format("begun {}, did not end: it still runs, or was killed", started);
  return fmt::format("begun {}, was refused or ended early: {}", started, error);
}

std::string LastRun::trouble_of_records() const {
  if (ended_well()) return "";
  return held ? *held : "its last run, " + trouble();
}

std::optional<LastRun> read_last_run(const fs::path& folder) {
  const fs::path path = folder / kLastRunFile;
  if (!is_listed(path)) return std::nullopt;
  const nlohmann::json json = models::parse_json_file(path, "reading how the last run ended");
  try {
    reports::FieldReader read(json, "the last run");
    LastRun run;
    run.started = read.text("started");
    run.ended = read.text_or("ended", "");
    run.error = read.text_or("error", "");
    run.config_sha256 = read.text_or("config_sha256", "");
    if (json.contains("held")) run.held = read.text("held");
    return run;
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

void mark_begun(const fs::path& folder, const std::optional<std::string>& held) {
  write_mark(folder, {.started = utc_now(), .held = held});
}

void mark_ended(const fs::path& folder, const std::string& config_json) {
  write_mark(folder, {.started = begun_run(folder).started,
                      .ended = utc_now(),
                      .config_sha256 = sha256_hex(config_json)});
}

void mark_failed(const fs::path& folder, const std::string& error,
                 const std::optional<std::string>& held) {
  write_mark(
      folder,
      {.started = begun_run(folder).started, .ended = utc_now(), .error = error, .held = held});
}

void remove_mark(const fs::path& folder) {
  std::error_code ignored;
  fs::remove(folder / kLastRunFile, ignored);
}

std::string words_of(const std::exception_ptr& error) {
  constexpr std::size_t kMost = 2000;
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const Error& known) {
    return cut_short(single_line(known.what()), kMost);
  } catch (const std::exception& unforeseen) {  // libtorch adds stack frames in further lines
    const std::string_view text = unforeseen.what();
    return cut_short(single_line(text.substr(0, text.find('\n'))), kMost);
  } catch (...) {
    return "an error without words";
  }
}

ExitCode with_mark(const fs::path& folder, const std::function<ExitCode()>& work) {
  return with_mark_of_failure(folder, [&] {
    if (holds_run(folder)) mark_begun(folder);
    return work();
  });
}

ExitCode with_mark_of_failure(const fs::path& folder, const std::function<ExitCode()>& work) {
  try {
    return work();
  } catch (...) {
    try {
      if (holds_run(folder))
        mark_failed(folder, words_of(std::current_exception()), begun_run(folder).held);
    } catch (const Error&) {  // the mark of a run that was begun stays
    }
    throw;
  }
}

}  // namespace niah
