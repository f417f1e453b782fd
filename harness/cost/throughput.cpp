#include "harness/cost/throughput.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "harness/base/progress.h"
#include "harness/engine/request.h"
#include "models/decode/prefix_reader.h"

namespace niah {

double SpeedLine::at(std::int64_t position) const {
  const double share = static_cast<double>(position) / static_cast<double>(far);
  // Noise must not make a longer text cheaper.
  return at_start + std::max(0.0, at_far - at_start) * share;
}

namespace {

/// Seconds of each kind of pass.
struct Passes {
  double chunk = 0, answer = 0, token = 0;
};

TokenIds some_ids(std::int64_t count, std::int64_t vocab) {
  TokenIds ids(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<std::int64_t>(i * 7919 % static_cast<std::size_t>(vocab));
  return ids;
}

/// The median time of as many calls as fit in a fifth of a second, at least one and at most nine.
/// Not the best, which the run itself will not always reach either.
template <typename Work>
double time_of(const Work& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> goes;
  double total = 0;
  do {
    const auto begin = Clock::now();
    work();
    goes.push_back(seconds_since(begin));
    total += goes.back();
  } while (total < 0.2 && goes.size() < 9);
  std::nth_element(goes.begin(), goes.begin() + static_cast<std::ptrdiff_t>(goes.size() / 2),
                   goes.end());
  return goes[goes.size() / 2];
}

Passes time_passes(models::PrefixReader& reader, const TokenIds& chunk) {
  const models::PrefixReader::Snapshot here = reader.mark();
  const auto timed = [&](const auto& work) {
    return time_of([&] {
      work();
      reader.wait();
      reader.rewind(here);
    });
  };
  const TokenIds answer(static_cast<std::size_t>(Throughput::kAnswerTokens), chunk.front());
  Passes passes;
  passes.token = timed([&] { reader.read_one(0, {chunk.front()}, 1); });
  passes.chunk = timed([&] { reader.read(chunk); });
  passes.answer = timed([&] { reader.read_one(0, answer, Throughput::kAnswerTokens); });
  return passes;
}

std::pair<Passes, Passes> time_near_and_far(const VariantGroup& group, const TokenIds& chunk,
                                            std::int64_t far) {
  const auto models = models_of(group);
  models::PrefixReader reader(
      models, far + 3 * static_cast<std::int64_t>(chunk.size()) + Throughput::kAnswerTokens);
  reader.read_one(0, {chunk.front()}, 1);  // loads the weights into memory
  reader.rewind(models::PrefixReader(models, 0).mark());
  reader.read(chunk);  // warms up the kernels
  const Passes near = time_passes(reader, chunk);
  reader.skip(far);
  return {near, time_passes(reader, chunk)};
}

}  // namespace

Throughput measure_throughput(const VariantGroup& group, std::int64_t chunk, std::int64_t far,
                              std::int64_t workers) {
  const TokenIds ids = some_ids(chunk, group.front().model->info().vocab_size);
  Passes near, beyond;
  std::exception_ptr failure;
  std::mutex lock;
  const auto work = [&] {
    try {
      if (workers > 1) at::set_num_threads(1);
      const auto [first, second] = time_near_and_far(group, ids, far);
      const std::lock_guard guard(lock);
      const auto add = [&](Passes& sum, const Passes& one) {
        const auto share = 1 / static_cast<double>(workers);
        sum.chunk += share * one.chunk;
        sum.answer += share * one.answer;
        sum.token += share * one.token;
      };
      add(near, first);
      add(beyond, second);
    } catch (...) {
      const std::lock_guard guard(lock);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::int64_t i = 0; i < workers; ++i) threads.emplace_back(work);
  }
  if (failure) std::rethrow_exception(failure);
  return {{near.chunk, beyond.chunk, far},
          {near.answer, beyond.answer, far},
          {near.token, beyond.token, far}};
}

}  // namespace niah
