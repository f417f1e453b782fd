#include "harness/run/measurement.h"

#include <algorithm>
#include <mutex>
#include <stop_token>

#include "harness/base/progress.h"
#include "harness/run/cell_batch.h"
#include "harness/run/job_cost.h"
#include "harness/run/job_threads.h"
#include "reports/analysis/statistics.h"

namespace niah {

Measurement::Measurement(const WorkList& work, const std::vector<OpenedEngine>& engines,
                         Journal& journal, const ShardSamples& samples)
    : work_(&work), engines_(&engines), journal_(&journal), samples_(&samples) {
  for (std::size_t engine = 0; engine < engines.size(); ++engine) plan(engine);
}

/// A new job, or for a cell that may end early, the one job of all groups.
Measurement::Job& Measurement::job_for(const CellBatch& batch, std::size_t engine) {
  const bool is_joint = ends_early(batch.front(), work_->sweep());
  if (is_joint) {
    const auto [known, fresh] = joint_.emplace(batch.front().cell, jobs_.size());
    if (!fresh) return jobs_[known->second];
  }
  jobs_.push_back({.cells = batch, .groups = {}, .engine = engine});
  return jobs_.back();
}

void Measurement::plan(std::size_t engine) {
  const OpenedEngine& opened = (*engines_)[engine];
  const bool shares = opened.engine->capabilities().shares_prefixes;
  for (const CellBatch& batch :
       batch_lengths(work_->assignments(), work_->sweep(), shares, opened.groups.front().cost))
    for (std::size_t group = 0; group < opened.groups.size(); ++group) {
      Job& job = job_for(batch, engine);
      job.groups.push_back({&opened, group});
      for (const WorkItem& work : batch)
        job.cost += job_cost(work, shares, opened.groups[group].cost);
    }
}

Part Measurement::part_of(const Job& job, const GroupRef& asked) const {
  Part part{job.cells, asked, {}};
  const bool shares = asked.engine().capabilities().shares_prefixes;
  for (const WorkItem& work : job.cells)
    part.sample_costs.push_back(job_cost(work, shares, asked.group().cost) /
                                static_cast<double>(std::max<std::int64_t>(1, work.samples)));
  return part;
}

/// Whether a group is the first of all. It alone warns of samples, which are the same for all.
bool Measurement::is_first(const GroupRef& asked) const {
  return asked.opened == &engines_->front() && asked.index == 0;
}

/// Whether the first `samples` of a cell tell every variant's recall well enough. A variant without
/// a measured sample is ignored.
bool Measurement::is_known(const Job& job, std::int64_t samples) const {
  const WorkItem& work = job.cells.front();
  const tasks::Cell& cell = *work.cell;
  for (const GroupRef& asked : job.groups)
    for (const reports::VariantInfo& variant : asked.group().variants) {
      std::int64_t n = 0, hits = 0;
      for (std::int64_t i = 0; i < samples; ++i) {
        const auto done = journal_->find(variant.fingerprint, "recall", cell.request().task,
                                         work.length, cell.index(i));
        n += done && done->scored ? 1 : 0;
        hits += done && done->hit ? 1 : 0;
      }
      if (n == 0) continue;
      const reports::Interval interval = reports::wilson_interval(hits, n);
      if (interval.high - interval.low > 2 * work_->sweep().samples.half_width) return false;
    }
  return true;
}

/// Asks a cell until all variants' recall is known well enough. The intervals are checked rarely
/// and at fixed counts, so that the end of a cell does not depend on where a run was stopped, and
/// the samples between two checks still share their prefixes.
bool Measurement::run_until_known(const RunContext& context, const Job& job, bool is_again) const {
  constexpr std::int64_t kFirstLook = 25;
  const WorkItem& cell = job.cells.front();
  std::int64_t asked = 0;
  while (asked < cell.samples) {
    const std::int64_t before = asked;
    asked = std::min(cell.samples, asked + std::max(kFirstLook, asked / 2));
    for (const GroupRef& group : job.groups) {
      Part part = part_of(job, group);
      part.cells.front().samples = asked;
      if (!ask_part(context, part, {before, is_again, is_first(group)})) return false;
    }
    if (is_known(job, asked)) break;
  }
  for (const GroupRef& group : job.groups)
    context.progress.advance(
        part_of(job, group).sample_costs.front() * static_cast<double>(cell.samples - asked),
        cell.label);
  return true;
}

/// False: some of it must be asked again while nothing else is running.
bool Measurement::run_job(const RunContext& context, const Job& job, bool is_again) const {
  if (ends_early(job.cells.front(), work_->sweep())) return run_until_known(context, job, is_again);
  bool is_whole = true;
  for (const GroupRef& group : job.groups)
    is_whole = ask_part(context, part_of(job, group), {0, is_again, is_first(group)}) && is_whole;
  return is_whole;
}

void Measurement::run(bool quiet) {
  double total = 0;
  std::vector<JobQueue> queues;
  for (const OpenedEngine& opened : *engines_)
    queues.push_back({.jobs = {},
                      .threads = opened.engine->capabilities().lists_at_once,
                      .afterwards = [engine = opened.engine.get()](const std::stop_token& until) {
                        engine->help(until);
                      }});
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    queues[jobs_[i].engine].jobs.push_back(i);
    total += jobs_[i].cost;
  }
  Progress progress(work_->sweep().name, total, quiet);
  const std::stop_source failed;
  const RunContext context{*work_, *journal_, progress, *samples_, failed.get_token()};
  std::mutex lock;
  std::vector<std::size_t> unfinished;
  run_jobs(queues, failed, [&](std::size_t i) {
    if (run_job(context, jobs_[i], /*is_again=*/false)) return;
    const std::lock_guard guard(lock);
    unfinished.push_back(i);
  });
  // What had no memory next to other threads may fit alone.
  for (const std::size_t i : unfinished) run_job(context, jobs_[i], /*is_again=*/true);
}

}  // namespace niah
