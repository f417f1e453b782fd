#include "reports/journal_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "tests/refusal.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string line(std::int64_t index) {
  return nlohmann::json(synthetic_record("f-base", "s1", 4096, index)).dump() + "\n";
}

class Journal : public testing::Test {
 protected:
  JournalEnd read(const std::string& content) {
    write_file(path_, content);
    indexes_.clear();
    return read_records(path_, [&](const Record& record) { indexes_.push_back(record.index); });
  }
  std::string refusal(const std::string& content) {
    return refusal_of([&] { read(content); });
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "journal.jsonl";
  std::vector<std::int64_t> indexes_;
};

TEST_F(Journal, ReadsEveryLineInOrder) {
  const JournalEnd end = read(line(0) + line(1) + line(2));
  EXPECT_EQ(indexes_, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(end.records, 3);
  EXPECT_FALSE(end.torn);
}

TEST_F(Journal, DropsATornLastLineAndSaysSo) {
  const std::string whole = line(0) + line(1);
  for (const std::size_t cut : {std::size_t{1}, line(2).size() / 2, line(2).size() - 1}) {
    const JournalEnd end = read(whole + line(2).substr(0, cut));
    EXPECT_TRUE(end.torn);
    EXPECT_EQ(end.records, 2);
    EXPECT_EQ(end.valid_bytes, whole.size());
  }
}

TEST_F(Journal, ReadsLinesAcrossItsReadingChunks) {
  std::string content;
  std::int64_t count = 0;
  while (content.size() < (std::size_t{5} << 19)) content += line(count++);
  EXPECT_EQ(read(content).records, count);
  EXPECT_EQ(indexes_.back(), count - 1);
}

TEST_F(Journal, EmptyIsFine) {
  const JournalEnd end = read("");
  EXPECT_EQ(end.records, 0);
  EXPECT_FALSE(end.torn);
}

TEST_F(Journal, RefusesAnyOtherBadLineWithItsNumber) {
  EXPECT_THAT(refusal(line(0) + "{\"kind\": 1\n" + line(2)),
              AllOf(HasSubstr(path_.string()), HasSubstr("line 2"), HasSubstr("not JSON")));
  EXPECT_THAT(refusal(line(0) + line(1) + "{}\n"),
              AllOf(HasSubstr("line 3"), HasSubstr("'kind' is missing")));
  EXPECT_THAT(refusal(line(0) + "\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal(line(0) + std::string(100000, '[') + "\n"), HasSubstr("line 2"));
}

TEST_F(Journal, RefusesAnEndlessLineWithoutReadingItAll) {
  EXPECT_THAT(refusal(line(0) + std::string(kMaxRecordBytes + 1, 'x')),
              AllOf(HasSubstr("line 2"), HasSubstr("longer than")));
}

TEST_F(Journal, RefusesAMissingFileAndAFolder) {
  const auto ignore = [](const Record&) {};
  EXPECT_THROW(read_records(folder_.path() / "none.jsonl", ignore), DataError);
  EXPECT_THROW(read_records(folder_.path(), ignore), DataError);
}

}  // namespace
}  // namespace niah::reports
