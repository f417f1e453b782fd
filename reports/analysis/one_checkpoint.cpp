#include "reports/analysis/one_checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "harness/base/listed.h"
#include "harness/base/units.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// The cells of one task, by ascending length; nullptr where there are no records.
struct TaskCells {
  std::string task;
  std::vector<std::int64_t> lengths;
  std::vector<const Cell*> cells;

  Standing standing(std::size_t i) const { return standing_of(cells[i]); }
  std::size_t size() const { return cells.size(); }
};

std::vector<TaskCells> tasks_of(const Results& results, const VariantInfo& variant) {
  std::vector<TaskCells> tasks;
  for (const std::string& task : results.run.tasks) {
    TaskCells one{task, results.run.lengths, {}};
    for (const std::int64_t length : one.lengths)
      one.cells.push_back(results.recall_cell(variant.fingerprint, task, length));
    tasks.push_back(std::move(one));
  }
  return tasks;
}

std::string interval_text(const Interval& interval) {
  return fmt::format("{} to {}", percent_signed(interval.low), percent_words(interval.high));
}

/// The number of lengths, from the shortest on, at which the task is sure.
std::size_t sure_lengths(const TaskCells& task) {
  std::size_t count = 0;
  while (count < task.size() && task.standing(count) == Standing::kSure) ++count;
  return count;
}

/// "up to 4K in S1 and S2 and up to 1K in S3"; empty where no task is sure at the shortest length.
std::string trusted_lengths(const std::vector<TaskCells>& tasks) {
  std::map<std::size_t, std::vector<std::string>, std::greater<>> by_length;
  for (const TaskCells& task : tasks)
    if (const std::size_t count = sure_lengths(task); count > 0)
      by_length[count].push_back(task_label(task.task));
  std::vector<std::string> parts;
  for (const auto& [count, names] : by_length)
    parts.push_back(fmt::format("up to {} in {}", format_length(tasks.front().lengths[count - 1]),
                                listed(names)));
  return listed(parts);
}

/// "in S3 at 4K (31 %, n = 40)", "in S3 from 2K on (31 % at 4K, n = 40)"; empty where it nowhere
/// falls short.
std::string short_words(const TaskCells& task) {
  std::vector<std::string> lengths;
  std::size_t first = task.size();
  const Cell* worst = nullptr;
  for (std::size_t i = 0; i < task.size(); ++i) {
    if (task.standing(i) != Standing::kShort) continue;
    first = std::min(first, i);
    lengths.push_back(format_length(task.lengths[i]));
    if (worst == nullptr || task.cells[i]->recall() < worst->recall()) worst = task.cells[i];
  }
  if (worst == nullptr) return "";
  const bool to_the_end = lengths.size() > 1 && first + lengths.size() == task.size();
  return fmt::format("in {} {} ({}{}, n = {})", task_label(task.task),
                     to_the_end ? "from " + lengths.front() + " on" : "at " + listed(lengths),
                     percent_words(worst->recall()),
                     lengths.size() > 1 ? " at " + format_length(worst->length) : "", worst->n);
}

/// The fewest samples of which all have to be found for a cell to be sure.
std::int64_t fewest_for_sure() {
  std::int64_t n = 1;
  while (wilson_interval(n, n).low < kEffectiveRecall) ++n;
  return n;
}

/// "40", "24 to 40".
std::string range_text(std::int64_t low, std::int64_t high) {
  return low == high ? fmt::format("{}", low) : fmt::format("{} to {}", low, high);
}

/// "sure from 1K to 4K (98 to 100 %, n = 40)": neighbouring cells of one standing, [from, to).
std::string run_words(const TaskCells& task, std::size_t from, std::size_t to) {
  const auto verdict = [&] {
    switch (task.standing(from)) {
      case Standing::kSure:
        return "sure";
      case Standing::kUndecided:
        return "undecided";
      case Standing::kShort:
        return "short";
      case Standing::kNotMeasured:
        return "not measured";
    }
    return "";
  }();
  const std::string where = to == from + 1
                                ? "at " + format_length(task.lengths[from])
                                : fmt::format("from {} to {}", format_length(task.lengths[from]),
                                              format_length(task.lengths[to - 1]));
  if (task.standing(from) == Standing::kNotMeasured) return fmt::format("{} {}", verdict, where);
  if (to == from + 1) {
    const Cell& cell = *task.cells[from];
    return fmt::format("{} {} ({}, n = {}, 95 % interval {})", verdict, where,
                       percent_words(cell.recall()), cell.n, interval_text(cell.interval()));
  }
  const auto [low, high] =
      std::minmax_element(task.cells.begin() + static_cast<std::ptrdiff_t>(from),
                          task.cells.begin() + static_cast<std::ptrdiff_t>(to),
                          [](const Cell* a, const Cell* b) { return a->recall() < b->recall(); });
  const auto [least, most] =
      std::minmax_element(task.cells.begin() + static_cast<std::ptrdiff_t>(from),
                          task.cells.begin() + static_cast<std::ptrdiff_t>(to),
                          [](const Cell* a, const Cell* b) { return a->n < b->n; });
  const std::string recall = (*low)->recall() == (*high)->recall()
                                 ? percent_words((*low)->recall())
                                 : interval_text({(*low)->recall(), (*high)->recall()});
  return fmt::format("{} {} ({}, n = {})", verdict, where, recall,
                     range_text((*least)->n, (*most)->n));
}

/// The depth at which a task is found least often, over all lengths, if that is not chance; empty
/// otherwise.
std::string depth_words(const Results& results, const TaskCells& task) {
  std::vector<DepthBand> bands = depth_bands(Cell{}, results.depth_bands_of(task.task));
  std::int64_t n = 0, hits = 0;
  for (const Cell* cell : task.cells) {
    if (cell == nullptr) continue;
    n += cell->n;
    hits += cell->hits;
    const std::vector<DepthBand> more = depth_bands(*cell, static_cast<int>(bands.size()));
    for (std::size_t i = 0; i < bands.size(); ++i) {
      bands[i].n += more[i].n;
      bands[i].hits += more[i].hits;
    }
  }
  const DepthBand* worst = nullptr;
  double least = static_cast<double>(hits) / static_cast<double>(std::max<std::int64_t>(n, 1));
  for (const DepthBand& band : bands) {
    if (band.n == 0 || wilson_interval(band.hits, band.n).high >= least) continue;
    if (worst == nullptr || band.hits * worst->n < worst->hits * band.n) worst = &band;
  }
  if (worst == nullptr) return "";
  return fmt::format(
      "; worst at depth {:g} to {:g} % ({} over all lengths, n = {})", worst->low, worst->high,
      percent_words(static_cast<double>(worst->hits) / static_cast<double>(worst->n)), worst->n);
}

/// What most misses of the task are; empty where there are none.
std::string miss_words(const TaskCells& task) {
  std::map<std::string, std::int64_t> misses;
  std::int64_t all = 0;
  for (const Cell* cell : task.cells) {
    if (cell == nullptr) continue;
    for (const auto& [miss, count] : cell->misses) {
      misses[miss] += count;
      all += count;
    }
  }
  const auto most =
      std::max_element(misses.begin(), misses.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == misses.end() || most->second == 0) return "";
  if (all > 1 && most->second == all)
    return fmt::format("; all {} missed answers are \"{}\"", all, miss_label(most->first));
  return fmt::format("; of {}, {} {} \"{}\"", counted(all, "missed answer"), most->second,
                     most->second == 1 ? "is" : "are", miss_label(most->first));
}

std::string task_words(const Results& results, const TaskCells& task) {
  std::vector<std::string> runs;
  for (std::size_t from = 0; from < task.size();) {
    std::size_t to = from + 1;
    while (to < task.size() && task.standing(to) == task.standing(from)) ++to;
    runs.push_back(run_words(task, from, to));
    from = to;
  }
  return fmt::format("{}: {}{}{}.", task_label(task.task), fmt::join(runs, ", "),
                     depth_words(results, task), miss_words(task));
}

/// Which cell is the least certain, and what was not asked at all.
std::string limit_words(const Results& results, const std::vector<TaskCells>& tasks) {
  const Cell* widest = nullptr;
  const auto width = [](const Cell& cell) { return cell.interval().high - cell.interval().low; };
  for (const TaskCells& task : tasks)
    for (const Cell* cell : task.cells)
      if (cell != nullptr && cell->n > 0 && (widest == nullptr || width(*cell) > width(*widest)))
        widest = cell;
  if (widest == nullptr) return "";
  return fmt::format(
      "The least certain is {}, with a 95 % interval of {} (n = {}); nothing longer than {} was "
      "asked.",
      cell_label(widest->task, widest->length), interval_text(widest->interval()), widest->n,
      format_length(results.run.lengths.back()));
}

}  // namespace

Standing standing_of(const Cell* cell) {
  if (cell == nullptr || cell->n == 0) return Standing::kNotMeasured;
  const Interval interval = cell->interval();
  if (interval.low >= kEffectiveRecall) return Standing::kSure;
  return interval.high < kEffectiveRecall ? Standing::kShort : Standing::kUndecided;
}

std::string trust_in_words(const Results& results, const VariantInfo& variant) {
  const std::vector<TaskCells> tasks = tasks_of(results, variant);
  const bool is_measured = std::any_of(tasks.begin(), tasks.end(), [](const TaskCells& task) {
    return std::any_of(task.cells.begin(), task.cells.end(), [](const Cell* cell) {
      return standing_of(cell) != Standing::kNotMeasured;
    });
  });
  if (!is_measured) return "";
  const std::string name = label_of(results.run, variant), bar = percent_words(kEffectiveRecall);
  const std::string trusted = trusted_lengths(tasks);
  std::vector<std::string> fails;
  for (const TaskCells& task : tasks)
    if (std::string words = short_words(task); !words.empty()) fails.push_back(std::move(words));
  if (trusted.empty() && fails.empty())
    return fmt::format(
        "{}: n is too small to say where it can be trusted; a recall of at least {} shows in a "
        "cell of {} samples, all found, or of more.",
        name, bar, fewest_for_sure());
  const std::string short_of =
      fails.empty() ? "" : fmt::format("falls short of {} {}.", bar, listed(fails));
  if (trusted.empty()) return name + " " + short_of;
  return fmt::format(
      "{} can be trusted {}: up to there its recall is at least {}, by the 95 % interval of every "
      "cell.{}",
      name, trusted, bar, short_of.empty() ? "" : " It " + short_of);
}

std::vector<std::string> standings_in_words(const Results& results, const VariantInfo& variant) {
  const std::vector<TaskCells> tasks = tasks_of(results, variant);
  std::vector<std::string> points;
  for (const TaskCells& task : tasks)
    if (task.size() > 0) points.push_back(task_words(results, task));
  const std::string limit = limit_words(results, tasks);
  if (!limit.empty()) points.push_back(limit);
  return points;
}

}  // namespace niah::reports
