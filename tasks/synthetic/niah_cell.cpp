#include "tasks/synthetic/niah_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "tasks/random/counter.h"
#include "tasks/synthetic/common_words.h"
#include "tasks/task.h"

namespace niah::tasks {
namespace {

/// The fewest lines or words of a text in which the answer is told from the rest, and the most.
struct UnitRange {
  std::int64_t least = 0;
  std::int64_t most = 0;
};

UnitRange units_of(TaskFamily family) {
  constexpr std::int64_t kNoEnd = std::int64_t{1} << 40;
  switch (family) {
    case TaskFamily::kVariableTracking:
      return {5, kNoEnd};
    case TaskFamily::kCommonWords:
      return {11, common_word_count()};
    case TaskFamily::kFrequentWords:
      return {32, kNoEnd};
    case TaskFamily::kNeedle:
      break;
  }
  throw std::logic_error("a needle task is not one of these");
}

ReferenceStreams streams_of(const SyntheticRequest& request, std::int64_t index) {
  auto random = CounterRng::for_sample(request.seed, request.cell.task, request.cell.length, index);
  const std::uint64_t words = random.next64();
  return {CPythonRandom(words), CPythonRandom(words),
          NumpyRandom(static_cast<std::uint32_t>(random.next64()))};
}

/// One sample's text at any size.
class SampleText {
 public:
  SampleText(const SyntheticRequest& request, std::int64_t index)
      : request_(request),
        answer_tokens_(find_task(request.protocol, request.cell.task).answer_tokens),
        streams_(streams_of(request, index)),
        program_(open_ruler_program(request, streams_)) {}

  SyntheticDraft at(std::int64_t units) const {
    stop_if_interrupted();
    ReferenceStreams streams = streams_;
    auto draft = program_->make(units, streams);
    check(draft.has_value(), "protocol niah can make every text");
    return *std::move(draft);
  }

  std::int64_t length(std::int64_t units) const {
    return request_.counter.count(at(units).text()) + answer_tokens_;
  }

  /// The largest text that fits.
  std::int64_t fit(UnitRange range) const {
    std::int64_t high = range.least;
    while (high < range.most && length(high) <= request_.cell.length)
      high = std::min(2 * high, range.most);
    return bisect_size([this](std::int64_t units) { return length(units); }, request_.cell.length,
                       range.least, high);
  }

 private:
  const SyntheticRequest& request_;
  std::int64_t answer_tokens_;
  ReferenceStreams streams_;
  std::unique_ptr<const SyntheticProgram> program_;
};

class NiahSyntheticCell final : public Cell {
 public:
  explicit NiahSyntheticCell(SyntheticRequest request)
      : request_(std::move(request)),
        range_(units_of(find_task(request_.protocol, request_.cell.task).family)) {
    for (std::int64_t index = 0; index < request_.cell.samples; ++index) {
      const std::int64_t least = SampleText(request_, index).length(range_.least);
      if (least > request_.cell.length)
        throw never_fits(request_, fmt::format("its smallest text takes {} tokens with this "
                                               "tokenizer, room for the answer included",
                                               least));
    }
  }

  const CellRequest& request() const override { return request_.cell; }
  double alike_until(std::int64_t) const override { return 0; }

  Sample sample(std::int64_t index) const override {
    check_index(request_.cell, index);
    const SampleText text(request_, index);
    const std::int64_t units = text.fit(range_);
    return sample_of(request_, index, text.at(units), text.length(units));
  }

 private:
  SyntheticRequest request_;
  UnitRange range_;
};

}  // namespace

std::unique_ptr<Cell> make_niah_synthetic_cell(const SyntheticRequest& request) {
  return std::make_unique<NiahSyntheticCell>(request);
}

}  // namespace niah::tasks
