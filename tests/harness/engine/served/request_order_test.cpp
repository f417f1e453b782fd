#include "harness/engine/served/request_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace niah::served {
namespace {

std::vector<Request> requests(int count) {
  std::vector<Request> all;
  for (int i = 0; i < count; ++i) all.push_back({.ids = {1, i % 7, i}});
  return all;
}

TEST(OrderOf, PrefixesStandTogether) {
  const std::vector<Request> all = requests(20);
  const std::vector<std::size_t> order = order_of(all, "prefix");
  for (std::size_t i = 1; i < order.size(); ++i)
    EXPECT_LT(all[order[i - 1]].ids, all[order[i]].ids);
}

TEST(OrderOf, ShufflesByContent) {
  std::vector<Request> all = requests(200);
  const std::vector<std::size_t> order = order_of(all, "shuffled");
  std::vector<std::size_t> sorted = order, places(all.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(places.begin(), places.end(), std::size_t{0});
  EXPECT_EQ(sorted, places);
  std::size_t neighbours = 0;
  for (std::size_t i = 1; i < order.size(); ++i)
    neighbours += all[order[i - 1]].ids[1] == all[order[i]].ids[1] ? 1U : 0U;
  EXPECT_LT(neighbours, 50U);  // of 199; about 28 by chance
  // A list that lost requests keeps the order of the rest.
  std::vector<std::int32_t> rest;
  for (const std::size_t place : order)
    if (place >= 100) rest.push_back(all[place].ids[2]);
  all.erase(all.begin(), all.begin() + 100);
  std::vector<std::int32_t> again;
  for (const std::size_t place : order_of(all, "shuffled")) again.push_back(all[place].ids[2]);
  EXPECT_EQ(again, rest);
}

TEST(IsAskedTwice, IsSoForItsShare) {
  int twice = 0;
  for (const Request& request : requests(2000)) {
    EXPECT_FALSE(is_asked_twice(request.ids, 0));
    EXPECT_TRUE(is_asked_twice(request.ids, 1));
    twice += is_asked_twice(request.ids, 0.25) ? 1 : 0;
  }
  EXPECT_GT(twice, 400);
  EXPECT_LT(twice, 600);
}

}  // namespace
}  // namespace niah::served
