#include "reports/journal_reader.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>

#include "harness/base/error.h"
#include "reports/json_fields.h"

namespace niah::reports {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

Record parse_line(std::string_view line, const fs::path& path, std::int64_t number) {
  const auto refuse = [&](const char* what, const char* remedy) {
    return DataError(
        fmt::format("reading the journal {}, line {}: {}{}", path.string(), number, what, remedy));
  };
  nlohmann::json json;
  try {
    json = parse_json(line);
  } catch (const DataError&) {
    throw refuse("not JSON", "; remove the line to have its sample run again");
  }
  try {
    return json.get<Record>();
  } catch (const DataError& error) {
    throw refuse(error.what(), "");
  }
}

[[noreturn]] void refuse_long_line(const fs::path& path, std::string_view what, std::int64_t number,
                                   std::size_t most_bytes) {
  throw DataError(
      fmt::format("reading the {} {}, line {}: longer than {} bytes; a record "
                  "is never that long, so this is not a {} or it is damaged",
                  what, path.string(), number, most_bytes, what));
}

}  // namespace

JournalEnd read_records(const fs::path& path, const std::function<void(const Record&)>& visit) {
  return read_lines(
      path, "journal", kMaxRecordBytes,
      [&](std::string_view line, std::int64_t number) { visit(parse_line(line, path, number)); });
}

JournalEnd read_lines(const fs::path& path, std::string_view what, std::size_t most_bytes,
                      const std::function<void(std::string_view, std::int64_t)>& visit) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw DataError(fmt::format("reading the {} {}: it is a folder", what, path.string()));
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw DataError(fmt::format("reading the {} {}: cannot open it: {}", what, path.string(),
                                std::generic_category().message(errno)));

  JournalEnd end;
  std::string pending;
  std::string chunk(kChunkBytes, '\0');
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())), in.gcount() > 0) {
    std::string_view rest(chunk.data(), static_cast<std::size_t>(in.gcount()));
    for (std::size_t eol; (eol = rest.find('\n')) != std::string_view::npos;
         rest.remove_prefix(eol + 1)) {
      if (pending.size() + eol > most_bytes)
        refuse_long_line(path, what, end.records + 1, most_bytes);
      pending += rest.substr(0, eol);
      visit(pending, end.records + 1);
      ++end.records;
      end.valid_bytes += pending.size() + 1;
      pending.clear();
    }
    if (pending.size() + rest.size() > most_bytes)
      refuse_long_line(path, what, end.records + 1, most_bytes);
    pending += rest;
  }
  if (in.bad()) throw DataError(fmt::format("reading the {} {}: read error", what, path.string()));
  end.torn = !pending.empty();
  return end;
}

}  // namespace niah::reports
