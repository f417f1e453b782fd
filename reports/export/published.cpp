#include "reports/export/published.h"

#include <fmt/format.h>

#include <array>

namespace niah::reports {
namespace {

/// Recall of base models as published in their own paper, at these lengths.
constexpr std::array kBaseLengths = {"32K", "64K", "128K", "256K"};
struct BaseRecall {
  const char* model;
  const char* task;
  std::array<double, kBaseLengths.size()> recall;
};
constexpr BaseRecall kBaseRecall[] = {
    {"HypeNet-2B", "S1", {99.8, 99.6, 99.8, 99.8}}, {"HypeNet-2B", "S2", {95.2, 99.6, 97.8, 86.2}},
    {"HypeNet-2B", "S3", {87.2, 72.6, 44.8, 48.8}}, {"Jet-Nemotron-2B", "S1", {99.8, 56.0, 0, 0}},
    {"Jet-Nemotron-2B", "S2", {94.2, 65.0, 0, 0}},  {"Jet-Nemotron-2B", "S3", {84.0, 15.4, 0, 0}},
};

}  // namespace

std::vector<PublishedFigure> paper_figures() {
  const std::string paper = "arXiv 2606.11052";
  std::vector<PublishedFigure> figures = {
      {"HypeNet-9B", "S2@256K", 67.2, 9.4, 44.0, paper},
      {"HypeNet-9B", "S3@256K", 52.0, 22.8, 42.6, paper},
      {"HypeNet-9B", "MATH500", 15.3, 62.3, 59.3, paper},
      {"HypeNet-5B", "S3@256K", {}, 65.4, 76.4, paper + ", abstract"},
  };
  for (const auto& [model, task, recall] : kBaseRecall)
    for (std::size_t i = 0; i < recall.size(); ++i)
      figures.push_back({model,
                         fmt::format("{}@{}", task, kBaseLengths[i]),
                         recall[i],
                         {},
                         {},
                         "arXiv 2601.22156"});
  return figures;
}

}  // namespace niah::reports
