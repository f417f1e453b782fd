#include "reports/published.h"

namespace niah::reports {

std::vector<PublishedFigure> paper_figures() {
  const std::string paper = "arXiv 2606.11052";
  return {
      {"HypeNet-9B", "S2@256K", 67.2, 9.4, 44.0, paper},
      {"HypeNet-9B", "S3@256K", 52.0, 22.8, 42.6, paper},
      {"HypeNet-9B", "MATH500", 15.3, 62.3, 59.3, paper},
      {"HypeNet-5B", "S3@256K", {}, 65.4, 76.4, paper + ", abstract"},
  };
}

}  // namespace niah::reports
