#include "harness/run/pieces.h"

#include <gtest/gtest.h>

namespace niah {
namespace {

using Pieces = std::vector<std::int64_t>;

TEST(Makespan, JobsAreTakenByWhoeverIsFree) {
  EXPECT_DOUBLE_EQ(makespan({4, 1, 1, 1, 1}, 2), 4);
  EXPECT_DOUBLE_EQ(makespan({1, 1, 4}, 2), 5);
  EXPECT_DOUBLE_EQ(makespan({1, 1, 4}, 1), 6);
  EXPECT_DOUBLE_EQ(makespan({}, 3), 0);
}

TEST(Pieces, OneCellIsSharedByAllWorkers) {
  EXPECT_EQ(count_pieces({{1, 10, 20}}, 2), Pieces{2});
  EXPECT_EQ(count_pieces({{1, 10, 20}}, 4), Pieces{4});
}

TEST(Pieces, OneWorkerCutsNothing) { EXPECT_EQ(count_pieces({{1, 10, 20}}, 1), Pieces{1}); }

TEST(Pieces, NothingIsCutWhereJobsAreEvenAnyway) {
  EXPECT_EQ(count_pieces({{1, 10, 20}, {1, 10, 20}}, 2), (Pieces{1, 1}));
  EXPECT_EQ(count_pieces(std::vector<JobCost>(40, {1, 10, 20}), 2), Pieces(40, 1));
}

TEST(Pieces, AnOddJobAtTheEndIsCut) {
  EXPECT_EQ(count_pieces({{0.1, 10, 20}, {0.1, 10, 20}, {0.1, 10, 20}}, 2).back(), 2);
}

TEST(Pieces, NoMoreThanSamplesAndNoneOfATrunkAlone) {
  EXPECT_EQ(count_pieces({{1, 10, 1}}, 4), Pieces{1});
  EXPECT_EQ(count_pieces({{10, 0.1, 20}}, 2), Pieces{1}) << "walking the trunk twice saves nothing";
  EXPECT_TRUE(count_pieces({}, 2).empty());
}

TEST(Pieces, CuttingNeverMakesARunLonger) {
  for (std::int64_t workers = 1; workers <= 5; ++workers)
    for (std::size_t count = 1; count <= 7; ++count) {
      std::vector<JobCost> jobs;
      std::vector<double> whole, cut;
      for (std::size_t i = 0; i < count; ++i) {
        const double size = 1 + static_cast<double>(i * i);
        jobs.push_back({size, 5 * size, 10});
        whole.push_back(6 * size);
      }
      const Pieces pieces = count_pieces(jobs, workers);
      for (std::size_t i = 0; i < count; ++i) {
        const auto p = static_cast<double>(pieces[i]);
        for (std::int64_t k = 0; k < pieces[i]; ++k)
          cut.push_back(
              std::max(jobs[i].trunk, jobs[i].rest / p + jobs[i].trunk * (p + 1) / (2 * p)));
      }
      EXPECT_LE(makespan(cut, workers), makespan(whole, workers));
    }
}

}  // namespace
}  // namespace niah
