#include "tasks/reasoning/word_problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/base/error.h"
#include "tasks/reasoning/math_answer.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

constexpr std::array kNames = {"Tom",  "Anna", "Ben",  "Mary", "John",
                               "Sara", "Paul", "Ruth", "Adam", "Leah"};
constexpr std::array kItems = {"apples", "books", "coins", "stones", "cups",
                               "loaves", "fish",  "birds", "pens",   "rings"};
constexpr std::array kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                              "Friday", "Saturday", "Sunday"};
constexpr std::array kLosing = {"loses", "gives away", "sells"};
constexpr std::array kGaining = {"gets", "finds", "buys"};
constexpr std::int64_t kMaxTotal = 20;
constexpr std::int64_t kMaxStep = 5;

template <std::size_t N>
const char* choose(CounterRng& rng, const std::array<const char*, N>& words) {
  return words[rng.below(N)];
}

}  // namespace

WordProblem make_word_problem(CounterRng& rng, std::int64_t steps) {
  check(steps >= 1 && steps <= static_cast<std::int64_t>(kDays.size()),
        "a problem has 1 to 7 steps");
  const char* name = choose(rng, kNames);
  const char* items = choose(rng, kItems);
  std::int64_t total = rng.between(2, 12);
  WordProblem problem;
  problem.question = fmt::format("Question: {} has {} {}.", name, total, items);
  problem.chain_of_thought = fmt::format(" {} has {} {}.", name, total, items);
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t step = rng.between(1, kMaxStep);
    const bool loses = total + step > kMaxTotal || (total >= step && rng.below(2) == 0);
    const char* verb = loses ? choose(rng, kLosing) : choose(rng, kGaining);
    const std::int64_t next = loses ? total - step : total + step;
    const std::string event =
        fmt::format("On {} {} {} {}.", kDays[static_cast<std::size_t>(i)], name, verb, step);
    problem.question += " " + event;
    problem.chain_of_thought +=
        fmt::format("\n{} {} {} {} = {}.", event, total, loses ? '-' : '+', step, next);
    total = next;
  }
  problem.question += fmt::format(" How many {} does {} have now?", items, name);
  problem.answer = total;
  problem.direct = fmt::format(" The answer is {}.\n", total);
  problem.chain_of_thought += fmt::format("\nThe answer is {}.\n", total);
  return problem;
}

WordProblem probe_problem(std::uint64_t seed, std::int64_t index) {
  CounterRng rng(fmt::format("reasoning-probe-1/{}/{}", seed, index));
  return make_word_problem(rng, rng.between(3, 6));
}

std::optional<std::string> final_answer(std::string_view output) {
  constexpr std::string_view kMarker = "the answer is";
  const std::size_t at = rfind_any_case(output, kMarker);
  if (at == output.npos) return std::nullopt;
  std::string_view rest = output.substr(at + kMarker.size());
  // Some models put it on a line of its own: "The answer is:\n\n\[\n\boxed{5}\n\]".
  rest.remove_prefix(std::min(rest.find_first_not_of(" :*$\\[(\r\n"), rest.size()));
  return first_number(rest.substr(0, rest.find('\n')));
}

std::string arithmetic_chain(CounterRng& rng, std::int64_t lines) {
  constexpr std::int64_t kMax = 30;
  std::int64_t total = rng.between(2, 12);
  std::string text;
  for (std::int64_t i = 0; i < lines; ++i) {
    const std::int64_t step = rng.between(1, 9);
    const bool minus = total + step > kMax || (total >= step && rng.below(2) == 0);
    const std::int64_t next = minus ? total - step : total + step;
    text += fmt::format("{} {} {} = {}.\n", total, minus ? '-' : '+', step, next);
    total = next;
  }
  return text;
}

std::string arithmetic_facts(CounterRng& rng, std::int64_t lines) {
  std::string text;
  for (std::int64_t i = 0; i < lines; ++i) {
    const std::int64_t a = rng.between(0, 30), b = rng.between(1, 9);
    const bool minus = rng.below(2) == 0 && a >= b;
    text += fmt::format("{} {} {} = {}.\n", a, minus ? '-' : '+', b, minus ? a - b : a + b);
  }
  return text;
}

}  // namespace niah::tasks
