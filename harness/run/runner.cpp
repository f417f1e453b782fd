#include "harness/run/runner.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/progress.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/run/plan.h"
#include "harness/run/prefix_schedule.h"
#include "harness/run/probe.h"
#include "harness/run/sizing.h"
#include "models/tokenizer/prompt_encoder.h"
#include "tasks/protocol.h"
#include "tasks/sample_file.h"

namespace niah {
namespace {

constexpr std::int64_t kDefaultChunk = 512;

/// Everything a run holds while it goes.
class Run {
 public:
  Run(const SweepConfig& sweep, const RunOptions& options);
  reports::Report finish();
  void measure();

 private:
  using Questions = std::vector<Question>;
  /// One stretch of work: a cell (or the reasoning probe) on one group of variants.
  struct Job {
    std::string label;
    const VariantGroup* group;
    const tasks::Cell* cell;  ///< null: the reasoning probe
    std::int64_t samples;
    double cost;  ///< tokens, roughly
  };

  /// What reading the common part of a prompt took.
  struct Shared {
    std::int64_t tokens = 0;
    double seconds = 0;
  };

  void open_cells();
  std::vector<Job> plan_jobs() const;
  std::int64_t count_workers() const;
  void work_off(const std::vector<Job>& jobs, Progress& progress);
  Questions open_questions(const Job& job) const;
  void run_job(const Job& job, Progress& progress);
  void warn_if_short(const Job& job, const Questions& questions, Progress& progress);
  void read_and_ask(const Job& job, Questions& questions, Progress& progress);
  void ask_all(models::Reader& reader, const Job& job, const Question& question,
               const TokenIds& tail, Shared shared);
  void record_failure(const Job& job, const Questions& questions, const std::string& outcome,
                      const std::string& detail);

  SweepConfig sweep_;
  RunOptions options_;
  std::int64_t chunk_;
  std::int64_t threads_ = 1;
  std::shared_ptr<const models::Tokenizer> tokenizer_;
  std::vector<std::unique_ptr<tasks::Cell>> cells_;
  std::string haystack_id_;
  std::vector<VariantGroup> groups_;
  reports::RunInfo info_;
  std::unique_ptr<Journal> journal_;
};

/// The points of one reader to come back to, within a budget of bytes. What was dropped is read
/// again, in the same pieces.
class Marks {
 public:
  Marks(models::Reader& reader, std::int64_t budget) : reader_(&reader), budget_(budget) {
    points_.emplace(0, reader.mark());
  }

  /// Rewinds to `position`, or to the last point before it that is still there; says where.
  std::int64_t go_back(std::int64_t position) {
    points_.erase(points_.upper_bound(position), points_.end());
    const auto& [at, point] = *points_.rbegin();
    reader_->rewind(point);
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

template <typename T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

/// A file's sample may have been sized by another tokenizer.
void count_anew(reports::Record& record) {
  record.real_length = record.prompt_tokens + tasks::kGenerationTokens;
}

std::vector<std::int64_t> eos_ids(const models::CausalLM& model,
                                  const models::Tokenizer& tokenizer) {
  std::vector<std::int64_t> ids = model.info().eos_ids;
  if (tokenizer.eos_id() && std::find(ids.begin(), ids.end(), *tokenizer.eos_id()) == ids.end())
    ids.push_back(*tokenizer.eos_id());
  return ids;
}

Run::Run(const SweepConfig& sweep, const RunOptions& options)
    : sweep_(sweep),
      options_(options),
      chunk_(sweep.runtime.prefill_chunk > 0 ? sweep.runtime.prefill_chunk : kDefaultChunk) {
  ensure_writable_folder(options_.out);
  const Machine machine = prepare_machine(sweep_.runtime);
  threads_ = machine.threads;
  tokenizer_ = models::open_tokenizer(sweep_.tokenizer);
  open_cells();

  const FingerprintBasis basis{
      tokenizer_->sha256(), machine.dtype == at::kBFloat16 ? "bf16" : "fp32",
      fmt::format("greedy, {} tokens, decided {}", sweep_.generation.max_new_tokens,
                  sweep_.generation.stop_when_decided)};
  std::vector<LoadedVariant> variants;
  for (const ModelConfig& model : sweep_.models)
    for (LoadedVariant& variant : load_variants(model, machine.dtype, basis))
      variants.push_back(std::move(variant));
  groups_ = group_variants(variants);

  const std::string tokenizer_id =
      fmt::format("{} {}", tokenizer_->description(), tokenizer_->sha256().substr(0, 16));
  info_ = describe_run(sweep_, variants, haystack_id_, tokenizer_id, machine);
  write_or_check_plan(options_.out, info_);
  journal_ = std::make_unique<Journal>(options_.out / "journal.jsonl");
}

/// Makes the cells, or takes them from files; then the files say what is asked.
void Run::open_cells() {
  if (!sweep_.sample_files.empty()) {
    cells_ = tasks::read_sample_files(sweep_.sample_files, sweep_.samples.otherwise);
    haystack_id_ = "samples from";
    for (const tasks::SampleFile& file : sweep_.sample_files)
      haystack_id_ += fmt::format(" {} {}", file.path.filename().string(),
                                  sha256_hex(MappedFile(file.path).view()).substr(0, 16));
    sweep_.protocol = cells_.front()->sample(0).protocol;
    for (const auto& cell : cells_) {
      const tasks::CellRequest& request = cell->request();
      add_once(sweep_.tasks, request.task);
      add_once(sweep_.lengths, request.length);
    }
    return;
  }
  const auto haystack = tasks::open_haystack(sweep_.haystack);
  haystack_id_ = fmt::format("{} {}", haystack->name(), haystack->sha256().substr(0, 16));
  // Task by task, as lm-eval builds them: its one random stream runs through all cells.
  std::vector<tasks::CellRequest> requests;
  for (const std::string& task : sweep_.tasks)
    for (const std::int64_t length : sweep_.lengths)
      requests.push_back({task, length, sweep_.samples.at(length)});
  cells_ = tasks::make_cells(protocol_spec(sweep_.protocol, sweep_.seed, haystack, tokenizer_),
                             requests);
  // The short ones first: they show soonest what a run is about.
  std::stable_sort(cells_.begin(), cells_.end(), [](const auto& a, const auto& b) {
    return a->request().length < b->request().length;
  });
}

std::vector<Run::Job> Run::plan_jobs() const {
  std::vector<Job> jobs;
  if (sweep_.reasoning)
    for (const VariantGroup& group : groups_)
      jobs.push_back({"reasoning", &group, nullptr, sweep_.reasoning->samples,
                      static_cast<double>(sweep_.reasoning->samples * 500) *
                          static_cast<double>(group.size())});
  for (const auto& cell : cells_) {
    const tasks::CellRequest& request = cell->request();
    // The shared trunk once, and on average the second half of every prompt.
    const double tokens =
        static_cast<double>(request.length) * (1 + static_cast<double>(request.samples) / 2);
    for (const VariantGroup& group : groups_)
      jobs.push_back({cell_label(request.task, request.length), &group, cell.get(), request.samples,
                      tokens * (1 + 0.1 * static_cast<double>(group.size()))});
  }
  return jobs;
}

Run::Questions Run::open_questions(const Job& job) const {
  Questions questions;
  models::PromptEncoder encoder(*tokenizer_);
  const auto done = [&](const std::string& kind, const std::string& task, std::int64_t length,
                        std::int64_t index) {
    return std::all_of(job.group->begin(), job.group->end(), [&](const LoadedVariant& variant) {
      return journal_->has(variant.info.fingerprint, kind, task, length, index);
    });
  };
  for (std::int64_t i = 0; i < job.samples; ++i) {
    stop_if_interrupted();
    if (job.cell == nullptr) {
      if (done("reasoning", "word-problems", 0, i)) continue;
      questions.push_back(reasoning_question(sweep_.seed, i, *tokenizer_, *sweep_.reasoning));
    } else {
      const tasks::CellRequest& request = job.cell->request();
      if (done("recall", request.task, request.length, job.cell->index(i))) continue;
      questions.push_back(needle_question(*job.cell, i, *tokenizer_, encoder, sweep_.generation));
      if (!sweep_.sample_files.empty()) count_anew(questions.back().blank);
    }
  }
  return questions;
}

void Run::ask_all(models::Reader& reader, const Job& job, const Question& question,
                  const TokenIds& tail, Shared shared) {
  const models::Reader::Point before = reader.mark();
  for (std::size_t v = 0; v < job.group->size(); ++v) {
    const LoadedVariant& variant = (*job.group)[v];
    if (journal_->has(variant.info.fingerprint, question.blank.kind, question.blank.task,
                      question.blank.length, question.blank.index))
      continue;
    reports::Record record = ask(reader, v, variant.info.fingerprint,
                                 eos_ids(*variant.model, *tokenizer_), question, tail, *tokenizer_);
    // What was read for all variants together is booked on the first of them.
    const Shared once = std::exchange(shared, {});
    record.computed_tokens += once.tokens;
    record.seconds += once.seconds;
    journal_->append(record);
    reader.rewind(before);
  }
}

void Run::read_and_ask(const Job& job, Questions& questions, Progress& progress) {
  std::vector<PromptIds> prompts;
  std::size_t longest = 0;
  for (Question& question : questions) {
    longest = std::max(longest, question.ids.size() + question.draft.size() +
                                    static_cast<std::size_t>(question.max_new_tokens));
    prompts.push_back(std::move(question.ids));
  }
  std::vector<std::shared_ptr<models::CausalLM>> models;
  std::string names;
  for (const LoadedVariant& variant : *job.group) {
    models.push_back(variant.model);
    names += (names.empty() ? "" : ", ") + variant.info.name;
  }
  models::Reader reader(models, static_cast<std::int64_t>(longest));

  Marks marks(reader, sweep_.runtime.mark_memory);
  for (const Visit& visit : schedule_prefixes(prompts, chunk_, sweep_.runtime.share_prefixes)) {
    const PromptIds& ids = prompts[visit.prompt];
    const auto begin = std::chrono::steady_clock::now();
    const std::int64_t start = marks.go_back(visit.resume);
    for (std::int64_t at = start; at < visit.tail; at += chunk_) {
      stop_if_interrupted();
      reader.read({ids.begin() + at, ids.begin() + at + chunk_});
      const std::int64_t next = at + chunk_;
      if (next == visit.resume || std::binary_search(visit.marks.begin(), visit.marks.end(), next))
        marks.set();
    }
    ask_all(reader, job, questions[visit.prompt], {ids.begin() + visit.tail, ids.end()},
            {visit.tail - start,
             std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()});
    progress.advance(job.cost / static_cast<double>(job.samples),
                     fmt::format("{}  {}", job.label, names));
  }
}

void Run::record_failure(const Job& job, const Questions& questions, const std::string& outcome,
                         const std::string& detail) {
  for (const Question& question : questions)
    for (const LoadedVariant& variant : *job.group) {
      reports::Record record = question.blank;
      record.variant = variant.info.fingerprint;
      if (journal_->has(record.variant, record.kind, record.task, record.length, record.index))
        continue;
      record.outcome = outcome;
      record.detail = detail;
      journal_->append(record);
    }
}

void Run::warn_if_short(const Job& job, const Questions& questions, Progress& progress) {
  // Every variant reads the same samples: the first group speaks for all.
  if (job.cell == nullptr || job.group != &groups_.front() || questions.empty()) return;
  const auto shortest = std::min_element(questions.begin(), questions.end(),
                                         [](const Question& a, const Question& b) {
                                           return a.blank.real_length < b.blank.real_length;
                                         });
  const std::string warning =
      short_cell_warning(job.cell->request(), sweep_.protocol, shortest->blank.real_length);
  if (!warning.empty()) progress.warn(warning);
}

void Run::run_job(const Job& job, Progress& progress) {
  Questions questions = open_questions(job);
  warn_if_short(job, questions, progress);
  progress.advance(
      job.cost / static_cast<double>(job.samples) *
          static_cast<double>(job.samples - static_cast<std::int64_t>(questions.size())),
      job.label);
  if (questions.empty()) return;
  try {
    read_and_ask(job, questions, progress);
  } catch (const std::bad_alloc&) {
    record_failure(job, questions, "oom", "out of memory while reading the prompt");
  } catch (const c10::OutOfMemoryError&) {
    record_failure(job, questions, "oom", "out of memory while reading the prompt");
  }
}

/// A small model's layers are too little work to share between threads: there several threads read
/// different cells instead, each on its own.
std::int64_t Run::count_workers() const {
  constexpr std::int64_t kSmall = 512;
  const bool small = std::all_of(groups_.begin(), groups_.end(), [](const VariantGroup& group) {
    return group.front().model->info().hidden_size <= kSmall;
  });
  return small ? threads_ : 1;
}

/// Takes jobs off the list with as many workers as pay. The first error stops all of them and is
/// thrown; what was finished is in the journal.
void Run::work_off(const std::vector<Job>& jobs, Progress& progress) {
  const std::int64_t workers = count_workers();
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex failure_lock;
  const auto work = [&] {
    if (workers > 1) at::set_num_threads(1);
    for (std::size_t i = next++; i < jobs.size(); i = next++) {
      try {
        run_job(jobs[i], progress);
      } catch (...) {
        const std::lock_guard lock(failure_lock);
        if (!failure) failure = std::current_exception();
        next = jobs.size();
      }
    }
  };
  std::vector<std::jthread> threads;
  for (std::int64_t i = 1; i < workers; ++i) threads.emplace_back(work);
  work();
  threads.clear();
  if (failure) std::rethrow_exception(failure);
}

void Run::measure() {
  if (journal_->resumed() > 0)
    fmt::print(stderr, "continuing: {} records are there already{}\n", journal_->resumed(),
               journal_->torn() ? ", one torn line was dropped" : "");
  const std::vector<Job> jobs = plan_jobs();
  double total = 0;
  for (const Job& job : jobs) total += job.cost;
  Progress progress(sweep_.name, total, options_.quiet);
  work_off(jobs, progress);
}

reports::Report Run::finish() {
  info_.finished = utc_now();
  write_or_check_plan(options_.out, info_);
  return reports::write_report(info_, {options_.out / "journal.jsonl"}, options_.out);
}

}  // namespace

reports::Report run_sweep(const SweepConfig& sweep, const RunOptions& options) {
  Run run(sweep, options);
  run.measure();
  return run.finish();
}

}  // namespace niah
