#include "harness/plan/journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "reports/journal_reader.h"
#include "tests/harness/plan/plain_record.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

TEST(Journal, RemembersWhatItHolds) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "journal.jsonl";
  {
    Journal journal(path);
    EXPECT_EQ(journal.resumed(), 0);
    journal.append(plain_record(0));
    journal.append(plain_record(1, "w"));
    EXPECT_TRUE(journal.has("v", "recall", "s1", 4096, 0));
  }
  Journal journal(path);
  EXPECT_EQ(journal.resumed(), 2);
  EXPECT_FALSE(journal.torn());
  EXPECT_TRUE(journal.has("v", "recall", "s1", 4096, 0));
  EXPECT_FALSE(journal.has("v", "recall", "s1", 4096, 1));
  EXPECT_FALSE(journal.has("v", "reasoning", "s1", 4096, 0));
  EXPECT_TRUE(journal.has("w", "recall", "s1", 4096, 1));
}

TEST(Journal, DropsATornLastLineAndGoesOnBehindIt) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "journal.jsonl";
  { Journal(path).append(plain_record(0)); }
  const auto whole = std::filesystem::file_size(path);
  for (std::size_t cut = 1; cut < 60; cut += 7) {
    {
      std::ofstream file(path, std::ios::app);
      file << std::string("{\"kind\":\"recall\",\"variant\":\"v\",\"protocol\":\"niah\",\"task\"")
                  .substr(0, cut);
    }
    Journal journal(path);
    EXPECT_TRUE(journal.torn());
    EXPECT_EQ(journal.resumed(), 1);
    EXPECT_GT(std::filesystem::file_size(path), whole) << "opened, nothing is changed";
    journal.repair();
    EXPECT_EQ(std::filesystem::file_size(path), whole);
  }
  {
    std::ofstream file(path, std::ios::app);
    file << "{\"kind\"";
  }
  { Journal(path).append(plain_record(1)); }
  EXPECT_EQ(Journal(path).resumed(), 2);
}

TEST(Journal, WhatCouldNotBeWrittenWholeIsTakenBack) {
  TemporaryFolder folder;
  const auto path = folder.path() / "journal.jsonl";
  Journal journal(path);
  journal.append(plain_record(0));
  const auto size = std::filesystem::file_size(path);
  // Simulate a disk that is full halfway through the next line.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  rlimit full = unlimited;
  full.rlim_cur = size + size / 2;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  EXPECT_THROW(journal.append(plain_record(1)), DataError);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &unlimited), 0);
  EXPECT_EQ(std::filesystem::file_size(path), size);
  journal.append(plain_record(2));
  std::int64_t records = 0;
  EXPECT_FALSE(reports::read_records(path, [&](const reports::Record&) { ++records; }).torn);
  EXPECT_EQ(records, 2);
}

TEST(Journal, RefusesDamageInTheMiddle) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "journal.jsonl";
  { Journal(path).append(plain_record(0)); }
  std::ofstream(path, std::ios::app) << "{\"kind\":\n";
  const auto size = std::filesystem::file_size(path);
  for (int rows = 0; rows < 2; ++rows) {  // a bad but complete line at the end, then in the middle
    try {
      const Journal journal(path);
      FAIL() << "opened";
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
    }
    if (rows == 0) {
      EXPECT_EQ(std::filesystem::file_size(path), size) << "a refused file was changed";
    }
    std::ofstream(path, std::ios::app) << nlohmann::json(plain_record(1)).dump() << "\n";
  }
}

TEST(Journal, HasOneWriter) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "journal.jsonl";
  const Journal first(path);
  EXPECT_THROW(Journal{path}, DataError);
}

}  // namespace
}  // namespace niah
