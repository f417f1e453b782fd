#include "tasks/needle/keys.h"

#include <gtest/gtest.h>

#include "harness/base/sha256.h"

namespace niah::tasks {
namespace {

TEST(KeyList, HoldsTheReferenceListInOrder) {
  const auto& keys = KeyList::instance();
  ASSERT_EQ(keys.size(), 6'171'620);
  Sha256 digest;
  std::string previous;
  for (std::int64_t i = 0; i < keys.size(); ++i) {
    const std::string key = keys.at(i);
    ASSERT_LT(previous, key) << i;
    if (i > 0) digest.update("\n");
    digest.update(key);
    previous = key;
  }
  // The digest of sorted(set(f"{a}-{n}" ...)) over wonderwords 3.0.1, joined by newlines.
  EXPECT_EQ(digest.hex(), "e5e6a09ed20903cb4abfcde8b89d1a40d4133a6fcff97001c690c21d97af3007");
}

TEST(KeyList, RefusesIndexesOutsideTheList) {
  const auto& keys = KeyList::instance();
  EXPECT_THROW(keys.at(-1), std::logic_error);
  EXPECT_THROW(keys.at(keys.size()), std::logic_error);
}

}  // namespace
}  // namespace niah::tasks
