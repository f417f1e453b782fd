#include "harness/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "harness/base/error.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

TEST(Reading, RefusesWhatWouldHangOrNeverEnd) {
  const TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto read = [](const fs::path& path) {
    return refusal_of([&] { read_file(path, "reading the config"); });
  };
  EXPECT_THAT(read(pipe), HasSubstr("is a named pipe, a file was expected"));
  EXPECT_THAT(read("/dev/zero"), HasSubstr("is a device, a file was expected"));
  EXPECT_THAT(read(folder.path()), HasSubstr("is a folder, a file was expected"));
  EXPECT_THAT(read(folder.path() / "none"), HasSubstr("No such file"));
  EXPECT_THAT(refusal_of([&] { MappedFile mapped(pipe); }), HasSubstr("named pipe"));
  EXPECT_THAT(refusal_of([&] { AppendFile file(pipe); }), HasSubstr("named pipe"));
}

TEST(Reading, SaysOfALinkThatItLeadsNowhere) {
  const TemporaryFolder folder;
  const fs::path link = folder.path() / "link", loop = folder.path() / "loop";
  fs::create_symlink("gone", link);
  fs::create_symlink("loop", loop);
  EXPECT_THAT(refusal_of([&] { read_file(link, "test"); }), HasSubstr("the link leads nowhere"));
  EXPECT_THAT(refusal_of([&] { MappedFile mapped(link); }), HasSubstr("the link leads nowhere"));
  EXPECT_THAT(refusal_of([&] { read_file(loop, "test"); }), HasSubstr("Too many levels"));
  EXPECT_TRUE(is_listed(link) && is_listed(loop) && !is_there(link) && !is_there(loop));
  EXPECT_FALSE(is_listed(folder.path() / "none"));
}

TEST(Reading, IsBounded) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("ten", "0123456789");
  EXPECT_EQ(read_file(path, "test", 10), "0123456789");
  EXPECT_THAT(refusal_of([&] { read_file(path, "test", 9); }),
              HasSubstr("at most 9 B were expected"));
  // A sparse file of a terabyte takes no disk space, and must take no memory.
  fs::resize_file(path, std::uintmax_t{1} << 40);
  EXPECT_THAT(refusal_of([&] { read_file(path, "test"); }), HasSubstr("1.0 TiB"));
}

TEST(Reading, FilesOfUnknownSizeAreReadToTheirEnd) {
  EXPECT_THAT(read_file("/proc/self/status", "test"), HasSubstr("VmRSS"));
}

TEST(PendingFile, NothingIsUnderTheNameBeforeCommit) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.jsonl";
  {
    PendingFile file(path);
    file.write("half");
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_TRUE(fs::is_empty(folder.path())) << "what is not committed is removed";
  PendingFile file(path);
  file.write("one\n");
  file.write("two\n");
  file.commit();
  EXPECT_EQ(read_file(path, "test"), "one\ntwo\n");
  EXPECT_THAT(names_in(folder.path()), UnorderedElementsAre("a.jsonl"));
}

TEST(PendingFile, ASlashAtItsEndIsNoFilesName) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal_of<UsageError>([&] { write_file(folder.path() / "a.jsonl" / "", "x"); }),
              HasSubstr("names a folder, a file was expected"));
  EXPECT_THAT(refusal_of<UsageError>([] { write_file("", "x"); }), HasSubstr("its name is empty"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PendingFile, SweepsWhatAKillLeftAndNothingElse) {
  const TemporaryFolder folder;
  folder.write("other", "");
  std::ofstream(folder.path() / ".a.niah-tmp99999-0") << "left by a kill";
  std::ofstream(folder.path() / ".ab.niah-tmp99999-0") << "of another file";
  PendingFile beside(folder.path() / "a");  // in progress, so not to be removed
  write_file(folder.path() / "a", "new");
  beside.write("later");
  beside.commit();
  EXPECT_EQ(read_file(folder.path() / "a", "test"), "later");
  EXPECT_THAT(names_in(folder.path()), UnorderedElementsAre("a", "other", ".ab.niah-tmp99999-0"));
}

TEST(PendingFile, KeepsLinksAndPermissionsAndNeverReplacesADevice) {
  const TemporaryFolder folder;
  const fs::path real = folder.write("real", "old"), link = folder.path() / "link";
  fs::permissions(real, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("real", link);
  write_file(link, "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_file(real, "test"), "new");
  EXPECT_EQ(fs::status(real).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  write_file("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THAT(refusal_of([&] { write_file("/dev/full", "x"); }), HasSubstr("No space left"));
  EXPECT_THROW(write_file(folder.path(), "x"), DataError);
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(write_file(pipe, "x"), DataError) << "nobody reads it: no waiting";
}

TEST(PendingFolder, AppearsWholeUnderItsNormalName) {
  const TemporaryFolder folder;
  const fs::path target = folder.path() / "a" / ".." / "out" / "";
  PendingFolder pending(target);
  fs::create_directory(pending.path() / "sub");
  write_file(pending.path() / "sub" / "file", "x");
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
  pending.commit();
  EXPECT_EQ(read_file(folder.path() / "out" / "sub" / "file", "test"), "x");
  EXPECT_THAT(names_in(folder.path()), UnorderedElementsAre("out"));
}

TEST(PendingFolder, NeverTouchesWhatIsThere) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "mine");
  folder.write("mine/thesis.txt", "years of work");
  for (const char* name : {"mine", "mine/"})
    EXPECT_THAT(refusal_of<UsageError>([&] { PendingFolder pending(folder.path() / name); }),
                HasSubstr("holds other things (thesis.txt)"));
  EXPECT_THROW(PendingFolder(folder.path() / "mine" / "thesis.txt"), UsageError);
  EXPECT_EQ(read_file(folder.path() / "mine" / "thesis.txt", "test"), "years of work");
  fs::create_directory(folder.path() / "empty");
  PendingFolder(folder.path() / "empty").commit();
}

TEST(PendingFolder, RemovesWhatIsNotCommittedAndWhatAKillLeft) {
  const TemporaryFolder folder;
  const fs::path partial = folder.path() / ".out.niah-partial";
  fs::create_directories(partial / "sub");
  std::ofstream(partial / "sub" / "left") << "by a kill";
  {
    PendingFolder pending(folder.path() / "out");
    EXPECT_TRUE(fs::is_empty(pending.path()));
    EXPECT_THAT(refusal_of([&] { PendingFolder twin(folder.path() / "out"); }),
                HasSubstr("another process is writing it"));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(OwnFolder, IsEmptyNewOrKnownByAMarker) {
  const TemporaryFolder folder;
  const auto check_folder = [&](const fs::path& path) {
    require_own_folder(path, {"plan.json"}, "running");
  };
  check_folder(folder.path());
  check_folder(folder.path() / "new");
  folder.write("notes.txt", "mine");
  EXPECT_THROW(check_folder(folder.path()), UsageError);
  EXPECT_THROW(check_folder(folder.path() / "notes.txt"), UsageError);
  folder.write("plan.json", "{}");
  check_folder(folder.path());
}

TEST(CanonicalPath, IsWhereLinksLeadAlsoToWhatIsNotThere) {
  const TemporaryFolder folder;
  const fs::path real = canonical_path(folder.path());
  fs::create_directory(real / "a");
  fs::create_symlink("a", real / "link");
  fs::create_symlink("a/none", real / "dangling");
  EXPECT_EQ(canonical_path(real / "link" / "b" / ".."), real / "a");
  EXPECT_EQ(canonical_path(real / "link/new"), real / "a/new");
  EXPECT_EQ(canonical_path(real / "dangling"), real / "a/none");
}

}  // namespace
}  // namespace niah
