#include "harness/run/runner.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/numbers.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/progress.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/run/branches.h"
#include "harness/run/bundles.h"
#include "harness/run/crew.h"
#include "harness/run/loading.h"
#include "harness/run/machine.h"
#include "harness/run/memory_guard.h"
#include "harness/run/plan.h"
#include "harness/run/prefix_schedule.h"
#include "harness/run/pricing.h"
#include "harness/run/probe.h"
#include "harness/run/shared_schedule.h"
#include "harness/run/variants.h"
#include "harness/run/workload.h"
#include "models/selftest.h"
#include "reports/diagnosis/page.h"
#include "reports/statistics.h"

namespace niah {
namespace {

/// The points of one reader to come back to, within a budget of bytes. What was dropped is read
/// again, in the same pieces.
class Marks {
 public:
  Marks(models::Reader& reader, std::int64_t budget) : reader_(&reader), budget_(budget) {
    points_.emplace(0, reader.mark());
  }

  /// Rewinds to where `visit` goes on, or to the last point before it that is still there; says
  /// where.
  std::int64_t go_back(const Visit& visit) {
    points_.erase(points_.upper_bound(visit.resume), points_.end());
    const auto latest = std::prev(points_.end());
    const std::int64_t at = latest->first;
    reader_->rewind(latest->second);
    if (visit.last_return && at == visit.resume && at > 0) points_.erase(latest);
    return at;
  }

  /// Remembers where the reader stands. Beyond the budget the earliest points go first: they are
  /// come back to last.
  void set() {
    const auto [added, is_new] = points_.emplace(reader_->position(), reader_->mark());
    const std::int64_t each = added->second.bytes();
    while (points_.size() > 2 && each * static_cast<std::int64_t>(points_.size()) > budget_)
      points_.erase(std::next(points_.begin()));
  }

 private:
  models::Reader* reader_;
  std::int64_t budget_;
  std::map<std::int64_t, models::Reader::Point> points_;
};

/// Everything a run holds while it goes.
class Run {
 public:
  Run(const SweepConfig& sweep, const RunOptions& options);
  reports::Report finish();
  void measure();

 private:
  using Questions = std::vector<Question>;
  /// One stretch of work: a bundle on one group of variants, or on all of them where it ends when
  /// all are known well enough.
  struct Job {
    Bundle cells;
    std::vector<const VariantGroup*> groups;
    double cost = 0;  ///< FLOPs, roughly
  };
  /// What one pass of a job reads: samples of a group.
  struct Part {
    Bundle cells;
    const VariantGroup* group;
    std::vector<double> sample_costs;  ///< of the cells, for the progress
  };
  /// The same with the prompts; several threads may read it.
  struct Reading {
    Part part;
    Questions questions{};
    std::vector<std::size_t> cell_of{};  ///< of the questions, of part.cells
    std::vector<PromptIds> prompts{};    ///< of the questions
    std::int64_t longest = 0;            ///< tokens of a prompt and all that may follow it
    std::unique_ptr<SharedSchedule> schedule{};
  };

  /// What reading the common part of a prompt took.
  struct Shared {
    std::int64_t tokens = 0;
    double seconds = 0;
  };

  /// `group` is one of groups_.
  const GroupShape& shape_of(const VariantGroup& group) const {
    return shapes_[static_cast<std::size_t>(&group - groups_.data())];
  }
  void load();
  std::vector<Job> plan_jobs() const;
  void test_models() const;
  Part part_of(const Job& job, const VariantGroup& group) const;
  Questions open_questions(const Assignment& work, const VariantGroup& group) const;
  Reading open(const Part& part, std::int64_t from, Progress& progress) const;
  bool run_job(const Job& job, Progress& progress);
  bool run_part(const Part& part, std::int64_t from, Progress& progress);
  bool is_known(const Job& job, std::int64_t samples) const;
  bool read_visits(Reading& reading, std::size_t hand, std::optional<Visit> visit,
                   Progress& progress);
  void read_along(Reading& reading, Progress& progress);
  Shared read_shared(models::Reader& reader, Marks& marks, const Visit& visit,
                     const PromptIds& ids) const;
  void ask_all(models::Reader& reader, Branches& branches, const Part& part,
               const Question& question, const TokenIds& prompt, Shared shared);
  void record_unread(const Reading& reading);

  RunOptions options_;
  Machine machine_;
  std::int64_t chunk_;
  Workload work_;
  std::vector<VariantGroup> groups_;
  std::vector<GroupShape> shapes_;  ///< of the groups
  reports::RunInfo info_;
  std::int64_t answer_memory_ = 0;  ///< bytes that a thread may spend on long answers
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Crew> crew_;
  bool is_again_ = false;  ///< what memory did not suffice for is asked once more, by itself
};

Run::Run(const SweepConfig& sweep, const RunOptions& options)
    : options_(options),
      machine_(prepare_machine(sweep.runtime)),
      chunk_(prefill_chunk(sweep.runtime, machine_)),
      work_(sweep) {
  if (options_.shards > 1 && sweep.samples.half_width > 0)
    throw UsageError(
        "--shard: with samples.half_width a cell ends by what all of its samples say, which no "
        "shard knows; give a fixed number of samples");
  const std::filesystem::path plan = options_.out / "plan.json",
                              journal = options_.out / "journal.jsonl";
  const bool has_plan = is_there(plan), has_journal = is_there(journal);
  require_own_folder(options_.out, {"plan.json", reports::kDiagnosisPage}, "running a sweep",
                     {"journal.jsonl"});
  ensure_writable_folder(options_.out);
  try {
    // Loading takes minutes: before it, the folder is this run's, and known to be of the same one.
    journal_ = std::make_unique<Journal>(journal);
    if (!has_plan && journal_->torn() && journal_->resumed() == 0)
      throw UsageError(
          fmt::format("running a sweep: {} holds no whole record and there is no plan.json beside "
                      "it, so it may "
                      "be no journal; choose another --out, or remove it",
                      journal.string()));
    info_ = describe_sweep(work_);
    describe_machine(info_, sweep.runtime, machine_);
    if (options_.shards > 1) info_.shard = reports::Shard{options_.shard, options_.shards};
    if (const auto begun = check_plan(options_.out, info_)) keep_tokenizer(*begun, info_);
    load();
    write_plan(options_.out, info_);
    journal_->repair();
  } catch (...) {
    std::error_code ignored;
    if (!has_journal) std::filesystem::remove(journal, ignored);
    throw;
  }
  // Until this run ends nobody may take an earlier one's results for its own.
  std::filesystem::remove(options_.out / "results.json");
}

void Run::load() {
  answer_memory_ = require_memory(work_, machine_);
  const std::vector<LoadedVariant> variants = load_all(work_, machine_, info_.tokenizer_sha256);
  require_distinct(variants);
  groups_ = group_variants(variants);
  for (const VariantGroup& group : groups_) shapes_.push_back(group_shape(group, machine_.dtype));
  // Several that work side by side have one core each.
  crew_ = std::make_unique<Crew>(count_workers(groups_, machine_), [] { at::set_num_threads(1); });
  const std::vector<std::string> warnings = model_warnings(variants, work_);
  describe_loaded(info_, variants, warnings);
  for (const std::string& warning : warnings) print_warning(warning);
}

std::vector<Run::Job> Run::plan_jobs() const {
  std::vector<Job> jobs;
  for (const Bundle& bundle : bundle_lengths(work_.assignments(), work_.sweep(), shapes_.front()))
    for (const VariantGroup& group : groups_) {
      const bool joins = ends_early(bundle.front(), work_.sweep()) && &group != &groups_.front();
      if (!joins) jobs.push_back({.cells = bundle, .groups = {}});
      jobs.back().groups.push_back(&group);
      for (const Assignment& work : bundle)
        jobs.back().cost += job_cost(work, work_.sweep(), shape_of(group));
    }
  return jobs;
}

Run::Part Run::part_of(const Job& job, const VariantGroup& group) const {
  Part part{job.cells, &group, {}};
  for (const Assignment& work : job.cells)
    part.sample_costs.push_back(job_cost(work, work_.sweep(), shape_of(group)) /
                                static_cast<double>(std::max<std::int64_t>(1, work.samples)));
  return part;
}

/// Before a run of which it costs less than a hundredth, asks every model whether it gives one
/// answer however a text is cut.
void Run::test_models() const {
  const models::SelftestOptions options{.chunk = chunk_};
  for (const VariantGroup& group : groups_) {
    const GroupShape& shape = shape_of(group);
    double flops = 0;
    for (const Assignment& work : work_.assignments())
      flops += read_flops(shape, 0, work.length) * (1 + static_cast<double>(work.samples) / 2);
    models::CausalLM& model = *group.front().model;
    if (flops < 100 * models::selftest_flops(model, options)) continue;
    std::string failed;
    for (const models::SelftestCheck& check : models::selftest(model, options))
      if (!check.passed) failed += "\n  " + models::describe(check);
    if (!failed.empty())
      throw DataError(
          fmt::format("testing {} before the run: its answers depend on how a text is cut "
                      "into passes, so nothing was measured:{}",
                      shape.name, failed));
    if (!options_.quiet)
      say("selftest of {}: one answer in chunks, whole and token by token\n", shape.name);
  }
}

Run::Questions Run::open_questions(const Assignment& work, const VariantGroup& group) const {
  return work_.questions(work, [&](const std::string& kind, const std::string& task,
                                   std::int64_t length, std::int64_t index) {
    if (index % options_.shards != options_.shard - 1) return false;
    return !std::all_of(group.begin(), group.end(), [&](const LoadedVariant& variant) {
      return journal_->has(variant.info.fingerprint, kind, task, length, index);
    });
  });
}

/// The questions of a part that are still to be asked; the first `from` samples of each cell were
/// asked before.
Run::Reading Run::open(const Part& part, std::int64_t from, Progress& progress) const {
  Reading reading{.part = part};
  for (std::size_t cell = 0; cell < part.cells.size(); ++cell) {
    const Assignment& work = part.cells[cell];
    Questions questions = open_questions(work, *part.group);
    // Every variant reads the same samples: the first group speaks for all.
    if (from == 0 && !is_again_ && part.group == &groups_.front()) {
      const std::string warning = work_.short_warning(work, questions);
      if (!warning.empty()) progress.warn(warning);
    }
    const auto known = work.samples - from - static_cast<std::int64_t>(questions.size());
    if (known > 0 && !is_again_)
      progress.advance(part.sample_costs[cell] * static_cast<double>(known), work.label);
    for (Question& question : questions) {
      reading.longest = std::max(reading.longest, question.longest());
      reading.prompts.push_back(std::move(question.ids));
      reading.questions.push_back(std::move(question));
      reading.cell_of.push_back(cell);
    }
  }
  std::vector<Visit> visits =
      schedule_prefixes(reading.prompts, chunk_, work_.sweep().runtime.share_prefixes);
  const GroupShape& shape = shape_of(*part.group);
  reading.schedule = std::make_unique<SharedSchedule>(
      reading.prompts, std::move(visits),
      [&shape](std::int64_t begin, std::int64_t end) { return read_flops(shape, begin, end); });
  return reading;
}

void Run::ask_all(models::Reader& reader, Branches& branches, const Part& part,
                  const Question& question, const TokenIds& prompt, Shared shared) {
  const models::Reader::Point before = reader.mark();
  for (std::size_t v = 0; v < part.group->size(); ++v) {
    const LoadedVariant& variant = (*part.group)[v];
    if (journal_->has(variant.info.fingerprint, question.blank.kind, question.blank.task,
                      question.blank.length, question.blank.index))
      continue;
    auto asking = std::make_unique<Asking>(
        question, variant.info.fingerprint,
        stop_ids(*variant.model, work_.tokenizer(), work_.format()), prompt, work_.tokenizer());
    // What was read for all variants together is booked on the first of them.
    const Shared once = std::exchange(shared, {});
    asking->book(once.tokens, once.seconds);
    bool goes_on = true, stays = true;
    while (goes_on && stays) {
      if (branches.pays(reader, v, *asking)) stays = !branches.add(reader, v, asking);
      if (stays) goes_on = asking->pass(reader, v, [&] { branches.finish_all(); });
    }
    if (stays) journal_->append(asking->record());
    reader.rewind(before);
  }
}

/// Reads the part of a prompt that all variants have in common, from the last point known of it on.
Run::Shared Run::read_shared(models::Reader& reader, Marks& marks, const Visit& visit,
                             const PromptIds& ids) const {
  const auto begin = std::chrono::steady_clock::now();
  const std::int64_t start = marks.go_back(visit);
  read_prompt(reader, ids, start, chunk_, [&](std::int64_t at) {
    const bool lost = at == visit.resume && !visit.last_return;  // to the budget
    if (lost || std::binary_search(visit.marks.begin(), visit.marks.end(), at)) marks.set();
  });
  reader.wait();
  return {reader.position() - start, seconds_since(begin)};
}

/// Reads what the schedule gives from `visit` on; false when memory did not suffice for some.
bool Run::read_visits(Reading& reading, std::size_t hand, std::optional<Visit> visit,
                      Progress& progress) {
  const Part& part = reading.part;
  const auto models = models_of(*part.group);
  const std::string names = names_of(*part.group);
  models::Reader reader(models, reading.longest);
  Branches branches(models, reading.longest, answer_memory_,
                    [&](Asking& asking) { journal_->append(asking.record()); });
  Marks marks(reader, work_.sweep().runtime.mark_memory);
  const bool fits = fits_in_memory([&] {
    for (; visit; visit = reading.schedule->next(hand)) {
      const PromptIds& ids = reading.prompts[visit->prompt];
      const Shared shared = read_shared(reader, marks, *visit, ids);
      ask_all(reader, branches, part, reading.questions[visit->prompt], {ids.begin(), ids.end()},
              shared);
      const std::size_t cell = reading.cell_of[visit->prompt];
      progress.advance(part.sample_costs[cell],
                       fmt::format("{}  {}", part.cells[cell].label, names));
    }
  });
  branches.finish_all();
  return fits;
}

/// One thread's part of a reading. A thread for which memory does not suffice beside the others, be
/// it for a first empty cache, leaves its samples to them.
void Run::read_along(Reading& reading, Progress& progress) {
  const std::size_t hand = reading.schedule->join();
  const std::optional<Visit> visit = reading.schedule->next(hand);
  if (!visit) return;
  bool fits = false;
  const bool has_begun =
      fits_in_memory([&] { fits = read_visits(reading, hand, visit, progress); });
  if (!has_begun || !fits) reading.schedule->give_up(hand);
}

/// Records what did not fit in memory.
void Run::record_unread(const Reading& reading) {
  for (const std::size_t i : reading.schedule->unread())
    for (const LoadedVariant& variant : *reading.part.group) {
      reports::Record record = reading.questions[i].blank;
      record.variant = variant.info.fingerprint;
      if (journal_->has(record.variant, record.kind, record.task, record.length, record.index))
        continue;
      record.outcome = "oom";
      record.detail = "out of memory while reading the prompt";
      journal_->append(record);
    }
}

/// Whether the first `samples` of a cell tell every variant's recall well enough. A variant of
/// which nothing could be measured is not waited for.
bool Run::is_known(const Job& job, std::int64_t samples) const {
  const Assignment& work = job.cells.front();
  const tasks::Cell& cell = *work.cell;
  for (const VariantGroup* group : job.groups)
    for (const LoadedVariant& variant : *group) {
      std::int64_t n = 0, hits = 0;
      for (std::int64_t i = 0; i < samples; ++i) {
        const auto done = journal_->find(variant.info.fingerprint, "recall", cell.request().task,
                                         work.length, cell.index(i));
        n += done && done->scored ? 1 : 0;
        hits += done && done->hit ? 1 : 0;
      }
      if (n == 0) continue;
      const reports::Interval interval = reports::wilson_interval(hits, n);
      if (interval.high - interval.low > 2 * work_.sweep().samples.half_width) return false;
    }
  return true;
}

/// Asks the samples of a part's cells; the caller has asked the first `from` of each before. False:
/// memory did not suffice for some beside what other threads do, and they are still to be asked.
bool Run::run_part(const Part& part, std::int64_t from, Progress& progress) {
  Reading reading = open(part, from, progress);
  const bool is_alone = is_again_ || crew_->workers() == 1;
  if (is_alone)
    read_along(reading, progress);
  else
    crew_->share(*reading.schedule, [&] { read_along(reading, progress); });
  if (reading.schedule->unread().empty()) return true;
  if (!is_alone) return false;
  if (part.cells.size() == 1) {
    record_unread(reading);
    return true;
  }
  // It may be possible without the longer texts of the bundle.
  for (std::size_t cell = 0; cell < part.cells.size(); ++cell)
    run_part({{part.cells[cell]}, part.group, {part.sample_costs[cell]}}, part.cells[cell].samples,
             progress);
  return true;
}

/// False: some of it is still to be asked, with nothing beside it.
bool Run::run_job(const Job& job, Progress& progress) {
  const Assignment& first = job.cells.front();
  if (!ends_early(first, work_.sweep())) {
    bool is_whole = true;
    for (const VariantGroup* group : job.groups)
      is_whole = run_part(part_of(job, *group), 0, progress) && is_whole;
    return is_whole;
  }
  // Looks at the interval are few and at fixed counts: the end of a cell does not depend on where a
  // run was stopped, and each stretch still shares its trunk.
  constexpr std::int64_t kFirstLook = 25;
  std::int64_t asked = 0;
  while (asked < first.samples) {
    const std::int64_t before = asked;
    asked = std::min(first.samples, asked + std::max(kFirstLook, asked / 2));
    for (const VariantGroup* group : job.groups) {
      Part part = part_of(job, *group);
      part.cells.front().samples = asked;
      if (!run_part(part, before, progress)) return false;
    }
    if (is_known(job, asked)) break;
  }
  for (const VariantGroup* group : job.groups)
    progress.advance(
        part_of(job, *group).sample_costs.front() * static_cast<double>(first.samples - asked),
        first.label);
  return true;
}

void Run::measure() {
  if (journal_->resumed() > 0)
    say("continuing: {} records are there already{}\n", journal_->resumed(),
        journal_->torn() ? ", one torn line was dropped" : "");
  test_models();
  const std::vector<Job> jobs = plan_jobs();
  double total = 0;
  for (const Job& job : jobs) total += job.cost;
  Progress progress(work_.sweep().name, total, options_.quiet);
  std::mutex lock;
  std::vector<std::size_t> unfinished;
  crew_->run(jobs.size(), [&](std::size_t i) {
    if (run_job(jobs[i], progress)) return;
    const std::lock_guard guard(lock);
    unfinished.push_back(i);
  });
  // What several threads at once had no memory for may be possible alone.
  is_again_ = true;
  at::set_num_threads(static_cast<int>(machine_.threads));
  for (const std::size_t i : unfinished) run_job(jobs[i], progress);
}

reports::Report Run::finish() {
  info_.finished = utc_now();
  write_plan(options_.out, info_);
  return reports::write_report(info_, {options_.out / "journal.jsonl"}, options_.out);
}

}  // namespace

std::pair<std::int64_t, std::int64_t> parse_shard(const std::string& text) {
  const auto refuse = [&] {
    return UsageError(fmt::format("--shard '{}': such as 2/4, the second of four, was expected",
                                  valid_utf8(text)));
  };
  constexpr std::int64_t kMost = 100'000;
  const std::size_t slash = text.find('/');
  const auto number = [&](std::string_view part) {
    const auto value = parse_integer(part, {1, kMost});
    if (!value) throw refuse();
    return *value;
  };
  if (slash == std::string::npos) throw refuse();
  const std::string_view view = text;
  const std::int64_t shard = number(view.substr(0, slash)), shards = number(view.substr(slash + 1));
  if (shard > shards) throw refuse();
  return {shard, shards};
}

reports::Report run_sweep(const SweepConfig& sweep, const RunOptions& options) {
  Run run(sweep, options);
  run.measure();
  return run.finish();
}

}  // namespace niah
