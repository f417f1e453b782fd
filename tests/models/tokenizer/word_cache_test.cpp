#include "models/tokenizer/word_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace niah::models {
namespace {

std::string word(int i) { return "word" + std::to_string(i); }

TEST(WordCache, GivesBackWhatWasPutIn) {
  WordCache cache;
  EXPECT_FALSE(cache.find(WordCache::key("none")));
  cache.insert(WordCache::key("two"), std::vector<TokenId>{4, 5});
  cache.insert(WordCache::key(""), std::vector<TokenId>{});
  cache.insert(WordCache::key("two"), std::vector<TokenId>{9});
  EXPECT_THAT(*cache.find(WordCache::key("two")), testing::ElementsAre(4, 5));
  EXPECT_THAT(*cache.find(WordCache::key("")), testing::IsEmpty());
  EXPECT_FALSE(cache.find(WordCache::key("tw")));
  EXPECT_FALSE(cache.find(WordCache::key(std::string_view("two\0", 4))));
}

TEST(WordCache, IsBounded) {
  WordCache cache(4096);
  int kept = 0;
  for (int i = 0; i < 5000; ++i) {
    cache.insert(WordCache::key(word(i)), std::vector<TokenId>{i});
    const auto found = cache.find(WordCache::key(word(i)));
    if (!found) continue;
    EXPECT_THAT(*found, testing::ElementsAre(i));
    ++kept;
  }
  EXPECT_GT(kept, 20);
  EXPECT_LT(kept, 4096 / 16);
  const std::string longer(WordCache::kMaxWordBytes + 1, 'x');
  WordCache roomy;
  roomy.insert(WordCache::key(longer), std::vector<TokenId>{1});
  EXPECT_FALSE(roomy.find(WordCache::key(longer)));
}

TEST(WordCache, ReadersNeverSeeHalfAnEntry) {
  WordCache cache;
  std::atomic<int> wrong = 0, found_whole = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        const std::string text = word(i);
        const auto key = WordCache::key(text);
        if (const auto found = cache.find(key)) {
          if (found->size() == 2 && (*found)[0] == i && (*found)[1] == -i)
            ++found_whole;
          else
            ++wrong;
        } else {
          cache.insert(key, std::vector<TokenId>{i, -i});
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(found_whole, 0) << "nobody read what another one wrote";
}

}  // namespace
}  // namespace niah::models
