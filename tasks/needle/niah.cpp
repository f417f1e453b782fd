// Our own protocol: RULER's needles, but sample i of a cell is a function of (seed, task, length,
// i) alone, and every haystack is filled to within one unit of its length.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "tasks/haystack/haystack_text.h"
#include "tasks/needle/own_needle.h"
#include "tasks/needle/prompt_parts.h"
#include "tasks/needle/protocols.h"
#include "tasks/needle/templates.h"
#include "tasks/needle/tokens.h"
#include "tasks/random/counter.h"
#include "tasks/synthetic/niah_cell.h"
#include "tasks/task.h"

namespace niah::tasks {
namespace {

/// Coprime to the number of depths, so that any 40 samples in a row cover all depths once, and far
/// from its divisors, so that consecutive samples are far apart.
constexpr std::int64_t kDepthStep = 11;

/// A needle and its depth in percent.
struct Needle {
  std::string sentence;
  double depth = 0;
};

/// What one sample asks, without its haystack.
struct Question {
  std::string head;
  std::string tail;
  std::string prefix;
  std::string key;
  std::vector<std::string> outputs;
  std::vector<Needle> needles;  ///< by depth
  Needle asked;                 ///< the one that the sample's span and depth are of
};

/// Line `index` of the haystack of needles: a function of seed, task and index.
std::string distractor_line(const Task& task, std::uint64_t seed, std::int64_t index) {
  CounterRng random(fmt::format("niah-1/{}/{}/line/{}", seed, task.name, index));
  const auto key = draw_token(random, task.key, KeyShare::kDistractors);
  return needle_sentence(task.value, key, draw_token(random, task.value, KeyShare::kDistractors));
}

/// Unit `index` of the haystack that the task's needles are hidden in.
std::string filler_unit(const ProtocolSpec& spec, const Task& task, std::int64_t index) {
  switch (task.haystack) {
    case HaystackType::kLines:
      return std::string(kRepeatedLine);
    case HaystackType::kDistractors:
      return distractor_line(task, spec.seed, index);
    case HaystackType::kText:
      break;
  }
  return std::string(require_haystack(spec, task.name).sentence(index));
}

/// A haystack text that alone takes more than `tokens` tokens.
std::shared_ptr<const HaystackText> make_filler(const ProtocolSpec& spec, const Task& task,
                                                std::int64_t tokens, const TokenCounter& counter) {
  const bool is_text = task.haystack == HaystackType::kText;
  auto haystack_text = std::make_shared<HaystackText>(
      is_text ? require_haystack(spec, task.name).separator() : "\n", counter);
  do {
    // Where counts do not add, the estimate may be low or high, so the whole text is counted as
    // well.
    const std::int64_t goal = std::max(haystack_text->size() + 1, haystack_text->size() * 21 / 20);
    while (haystack_text->size() < goal ||
           haystack_text->estimate_tokens(haystack_text->size()) <= tokens) {
      haystack_text->append(filler_unit(spec, task, haystack_text->size()));
    }
  } while (PromptParts(*haystack_text).add_units(0, haystack_text->size()).count_tokens() <=
           tokens);
  return haystack_text;
}

/// An amount of haystack and the tokens of the whole prompt with it.
struct Fit {
  std::int64_t units = 0;
  std::int64_t tokens = 0;
};

class NiahCell final : public Cell {
 public:
  NiahCell(CellRequest request, const Task& task, const OwnNeedle* own, const ProtocolSpec& spec,
           std::shared_ptr<const HaystackText> haystack_text)
      : request_(std::move(request)),
        task_(task),
        own_(own == nullptr ? std::nullopt : std::optional(*own)),
        seed_(spec.seed),
        given_depths_(spec.depths),
        haystack_text_(std::move(haystack_text)) {
    auto random = CounterRng::for_cell(seed_, task_.name, request_.length);
    depth_offset_ = static_cast<std::int64_t>(random.below(depths().size()));
    require_depths();
    require_length();
  }

  const CellRequest& request() const override { return request_; }

  double alike_until(std::int64_t index) const override {
    check_index(request_, index);
    const Question question = ask(index);
    return question.needles.empty() ? 1 : question.needles.front().depth / 100.0;
  }

  Sample sample(std::int64_t index) const override {
    check_index(request_, index);
    const Question question = ask(index);
    const Fit filled = fit(question);
    Sample sample;
    sample.protocol = "niah";
    sample.task = task_.name;
    sample.seed = seed_;
    sample.max_length = request_.length;
    sample.index = index;
    sample.input = input(question, filled.units).render();
    sample.gen_prefix = question.prefix;
    sample.outputs = question.outputs;
    sample.key = question.key;
    sample.depth = question.asked.depth;
    sample.length = filled.tokens + kGenerationTokens;
    sample.haystack_units = filled.units;
    complete_sample(sample, question.asked.sentence, {question.head.size(), question.tail.size()});
    return sample;
  }

 private:
  /// Needles that hold an expected answer; they come first.
  int asked_needles() const { return task_.queries * task_.values; }

  /// The depths of a sample's needles where some are given: those asked for stand at them, in turn,
  /// the others anywhere else.
  std::vector<double> depths_in_turn(CounterRng& random, std::int64_t index) const {
    const auto count = std::ssize(given_depths_);
    std::vector<double> result, others;
    for (int i = 0; i < asked_needles(); ++i)
      result.push_back(given_depths_[static_cast<std::size_t>((index + i) % count)]);
    for (const int depth : depths())
      if (std::find(result.begin(), result.end(), depth) == result.end()) others.push_back(depth);
    for (const auto i : random.distinct(task_.needles() - asked_needles(), std::ssize(others)))
      result.push_back(others[static_cast<std::size_t>(i)]);
    return result;
  }

  /// The depths of a sample's needles: the scheduled one for the asked needle, others at random.
  std::vector<double> needle_depths(CounterRng& random, std::int64_t index) const {
    if (!given_depths_.empty()) return depths_in_turn(random, index);
    const auto count = static_cast<std::int64_t>(depths().size());
    const std::int64_t scheduled = (depth_offset_ + kDepthStep * (index % count)) % count;
    std::vector<double> result{static_cast<double>(depths()[static_cast<std::size_t>(scheduled)])};
    for (const auto step : random.distinct(std::max(task_.needles() - 1, 0), count - 1)) {
      result.push_back(depths()[static_cast<std::size_t>((scheduled + 1 + step) % count)]);
    }
    return result;
  }

  Question ask(std::int64_t index) const { return ask_at(request_.length, index); }

  /// What sample `index` asks in a cell of this length.
  Question ask_at(std::int64_t length, std::int64_t index) const {
    auto random = CounterRng::for_sample(seed_, task_.name, length, index);
    if (own_) return ask_own(random, index);
    const auto keys = draw_tokens(random, task_.key, task_.keys);
    const auto values = draw_tokens(random, task_.value, task_.keys * task_.values);
    const std::vector<std::string> asked(keys.begin(), keys.begin() + task_.queries);
    Question question;
    question.key = join_query(asked);
    question.head = question_head(task_);
    question.tail = question_tail(task_, question.key);
    question.prefix = answer_prefix(task_, question.key);
    if (task_.absent) return question;
    question.outputs.assign(values.begin(), values.begin() + task_.queries * task_.values);
    std::vector<std::string> sentences;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto& key = keys[i / static_cast<std::size_t>(task_.values)];
      sentences.push_back(needle_sentence(task_.value, key, values[i]));
    }
    place(question, sentences, needle_depths(random, index));
    return question;
  }

  Question ask_own(CounterRng& random, std::int64_t index) const {
    const OwnSample sample = draw_own_sample(*own_, random);
    Question question;
    question.head = sample.head;
    question.tail = sample.tail;
    question.prefix = sample.prefix;
    question.key = sample.key;
    question.outputs = sample.outputs;
    place(question, sample.sentences, needle_depths(random, index));
    return question;
  }

  /// Adds the needles, of which the first is asked for.
  static void place(Question& question, const std::vector<std::string>& sentences,
                    const std::vector<double>& at) {
    for (std::size_t i = 0; i < sentences.size(); ++i)
      question.needles.push_back({sentences[i], at[i]});
    question.asked = question.needles.front();
    std::stable_sort(question.needles.begin(), question.needles.end(),
                     [](const Needle& a, const Needle& b) { return a.depth < b.depth; });
  }

  /// The head, `units` units of haystack with the needles in between, and the question.
  PromptParts input(const Question& question, std::int64_t units) const {
    const std::string& separator = haystack_text_->separator();
    PromptParts parts(*haystack_text_);
    parts.add(question.head);
    bool empty = true;
    const auto separate = [&] {
      if (!empty) parts.add(separator);
      empty = false;
    };
    std::int64_t done = 0;
    const auto add_units_until = [&](std::int64_t end) {
      if (end == done) return;
      separate();
      parts.add_units(done, end);
      done = end;
    };
    for (const auto& needle : question.needles) {
      add_units_until(depth_position(units, needle.depth));
      separate();
      parts.add(needle.sentence);
    }
    add_units_until(units);
    return parts.add(question.tail);
  }

  std::int64_t tokens(const Question& question, std::int64_t units) const {
    return input(question, units).add(" ").add(question.prefix).count_tokens();
  }

  /// The largest number of units that fits.
  Fit fit(const Question& question) const {
    const std::int64_t room = request_.length - kGenerationTokens;
    Fit fit = estimate_fit(question, room);
    if (fit.tokens > room) {
      while (fit.tokens > room) fit.tokens = tokens(question, --fit.units);
      return fit;
    }
    for (;;) {
      const std::int64_t next = tokens(question, fit.units + 1);
      if (next > room) return fit;
      fit = {fit.units + 1, next};
    }
  }

  /// A first guess, normally right or one unit off.
  Fit estimate_fit(const Question& question, std::int64_t room) const {
    const auto clamp = [this](std::int64_t units) {
      return std::clamp<std::int64_t>(units, 1, haystack_text_->size() - 1);
    };
    const std::int64_t frame = tokens(question, 0);
    Fit fit;
    fit.units = clamp(haystack_text_->estimate_units(room - frame));
    fit.tokens = tokens(question, fit.units);
    constexpr int kMostJumps = 8;
    for (int jump = 0; jump < kMostJumps; ++jump) {
      // Where counts do not add, the estimate is off: correct it by the mean size of a unit.
      const double mean = static_cast<double>(fit.tokens - frame) / static_cast<double>(fit.units);
      const auto missing = static_cast<std::int64_t>(static_cast<double>(room - fit.tokens) / mean);
      const std::int64_t next = clamp(fit.units + missing);
      if (next == fit.units) break;
      fit = {next, tokens(question, next)};
    }
    return fit;
  }

  /// The most tokens that a sample of a cell of this length needs with one unit of haystack.
  std::int64_t least_tokens(std::int64_t length) const {
    std::int64_t least = 0;
    for (std::int64_t index = 0; index < request_.samples; ++index) {
      stop_if_interrupted();  // a large cell takes seconds
      least = std::max(least, tokens(ask_at(length, index), 1) + kGenerationTokens);
    }
    return least;
  }

  /// Throws UsageError when fewer depths are given than a sample has needles to stand at them.
  void require_depths() const {
    const bool are_enough = given_depths_.empty() || std::ssize(given_depths_) >= asked_needles();
    if (task_.absent || are_enough) return;
    throw UsageError(
        fmt::format("task {}: a sample has {} needles that are asked for, each at a depth of its "
                    "own, and {} given; give {} depths or more",
                    task_.name, asked_needles(),
                    given_depths_.size() == 1 ? "1 depth is"
                                              : fmt::format("{} depths are", given_depths_.size()),
                    asked_needles()));
  }

  /// Throws UsageError unless every sample has room for at least one unit of haystack.
  void require_length() const {
    const std::int64_t least = least_tokens(request_.length);
    if (least <= request_.length) return;
    // Cells of other lengths have other keys, so the smallest length that fits is found by trying.
    std::int64_t fitting = least;
    for (std::int64_t needs = 0; (needs = least_tokens(fitting)) > fitting;) fitting = needs;
    throw UsageError(fmt::format(
        "task {} at length {}: the question, its needles, one unit of haystack and {} tokens of "
        "answer need at least {} tokens with this tokenizer. The smallest length that fits is {}.",
        task_.name, request_.length, kGenerationTokens, least, fitting));
  }

  CellRequest request_;
  const Task task_;
  std::optional<OwnNeedle> own_;
  std::uint64_t seed_;
  std::vector<double> given_depths_;
  std::shared_ptr<const HaystackText> haystack_text_;
  std::int64_t depth_offset_ = 0;
};

/// Tasks with the same key here share one haystack text.
std::string filler_name(const Task& task) {
  switch (task.haystack) {
    case HaystackType::kLines:
      return "lines";
    case HaystackType::kText:
      return "text";
    case HaystackType::kDistractors:
      break;
  }
  return "distractors of " + task.name;
}

/// Throws UsageError when the text holds a value that is to be found: an answer that repeats the
/// text would be right.
void require_foreign(const OwnNeedle& own, const HaystackText& haystack_text) {
  const auto value = value_in_text(own, haystack_text.text(0, haystack_text.size()));
  if (!value.empty())
    throw UsageError(fmt::format(
        "task {}: the value '{}' is also in the haystack, whose repetition would pass for an "
        "answer; take it off `values`, or take another text",
        own.name, value));
}

}  // namespace

Cells make_niah_cells(const ProtocolSpec& spec, const std::vector<CellRequest>& requests) {
  const TokenCounter counter(spec.count, spec.counts_add);
  const auto task_of = [&](const CellRequest& request) {
    const OwnNeedle* own = find_own_needle(spec, request.task);
    return own == nullptr ? find_task(spec.protocol, request.task) : own->task();
  };
  std::map<std::string, std::int64_t> longest;
  for (const auto& request : requests) {
    const Task task = task_of(request);
    if (task.family != TaskFamily::kNeedle) continue;
    auto& length = longest[filler_name(task)];
    length = std::max(length, request.length);
  }
  std::map<std::string, std::shared_ptr<const HaystackText>> fillers;
  Cells cells;
  for (const auto& request : requests) {
    const Task task = task_of(request);
    if (task.family != TaskFamily::kNeedle) {
      cells.push_back(make_niah_synthetic_cell({spec.protocol, request, counter, spec.seed}));
      continue;
    }
    const OwnNeedle* own = find_own_needle(spec, request.task);
    const auto name = filler_name(task);
    auto& haystack_text = fillers[name];
    if (!haystack_text) haystack_text = make_filler(spec, task, longest[name], counter);
    if (own != nullptr) require_foreign(*own, *haystack_text);
    cells.push_back(std::make_unique<NiahCell>(request, task, own, spec, haystack_text));
  }
  return cells;
}

}  // namespace niah::tasks
