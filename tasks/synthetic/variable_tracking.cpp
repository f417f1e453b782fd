#include "tasks/synthetic/variable_tracking.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "tasks/needle/templates.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

constexpr std::size_t kVariables = 5;  // one that has the value, and four hops
constexpr int kNameLetters = 5;
constexpr int kExampleNameLetters = 3;
constexpr std::int64_t kTrackingRoom = 30;
/// Tokens that the worked example may have.
constexpr std::int64_t kExampleLength = 500;
constexpr std::int64_t kExampleStep = 5;
/// The value in RULER's worked example until the example is drawn for a sample.
constexpr std::string_view kExampleValue = "12345";

/// Assignments of one value from variable to variable.
struct Chain {
  std::vector<std::string> names;
  std::string value;

  std::string link(std::size_t i) const {
    if (i == 0) return fmt::format("VAR {} = {}", names[0], value);
    return fmt::format("VAR {} = VAR {} ", names[i], names[i - 1]);
  }
};

std::string draw_value(ReferenceStreams& streams) {
  return std::to_string(streams.numpy.randint(10000, 99999));
}

/// How the names of a chain are drawn.
struct NameRules {
  int letters = kNameLetters;
  bool draws_value = true;
  /// Whether a name that is drawn twice makes the programs fail: they then have more names than
  /// they can cut into chains.
  bool fails_at_doubles = true;
};

/// Nullopt where the program fails, after drawing a value for the chain that is too short.
std::optional<Chain> draw_chain(const NameRules& rules, ReferenceStreams& streams) {
  Chain chain;
  std::size_t drawn = 0;
  for (; drawn < kVariables || chain.names.size() < kVariables; ++drawn) {
    auto name = streams.random.letters('A', 26, rules.letters);
    if (std::find(chain.names.begin(), chain.names.end(), name) == chain.names.end())
      chain.names.push_back(std::move(name));
  }
  chain.value = rules.draws_value ? draw_value(streams) : std::string(kExampleValue);
  if (drawn == kVariables || !rules.fails_at_doubles) return chain;
  if (rules.draws_value) draw_value(streams);
  return std::nullopt;
}

/// Where the links go: before which of `lines` lines each of them is.
std::vector<std::size_t> draw_places(std::size_t lines, ReferenceStreams& streams) {
  auto places = streams.random.sample(lines, kVariables);
  std::sort(places.begin(), places.end());
  return places;
}

/// The lines with the links between them.
std::string join_lines(const std::vector<std::string_view>& lines, const Chain& chain,
                       const std::vector<std::size_t>& places, std::string_view joint) {
  std::string context;
  std::size_t next = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) context += joint;
    if (next < places.size() && places[next] == i) context.append(chain.link(next++)).append(joint);
    context += lines[i];
  }
  return context;
}

/// lm-evaluation-harness 0.4.13 has kept the spelling of RULER's first versions; so has protocol
/// niah, whose prompts stay what they were.
constexpr std::string_view kOldSpelling = "assgined", kSpelling = "assigned";

SyntheticDraft draft_of(const Chain& chain, std::string context, double depth, std::int64_t units,
                        std::string_view assigned) {
  SyntheticDraft draft;
  draft.head =
      "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n";
  draft.context = std::move(context);
  draft.tail = fmt::format(
      "\nQuestion: Find all variables that are assigned the value {} in the text above.",
      chain.value);
  // The space at the end is the programs'.
  draft.gen_prefix = fmt::format(
      "Answer: According to the chain(s) of variable assignment in the text above, {} variables "
      "are {} the value {}, they are: ",
      kVariables, assigned, chain.value);
  draft.outputs = chain.names;
  draft.key = chain.value;
  draft.needle = chain.link(0);
  draft.depth = depth;
  draft.units = units;
  return draft;
}

double percent(std::size_t place, std::size_t lines) {
  return 100.0 * static_cast<double>(place) / static_cast<double>(lines);
}

/// The worked example with its names replaced by others, one after the other, wherever they are.
std::string rename(std::string example, const std::vector<std::string>& names,
                   ReferenceStreams& streams) {
  for (const std::string& name : names) {
    const auto other = streams.random.letters('A', 26, static_cast<int>(name.size()));
    example = replace_all(std::move(example), name, other);
  }
  return example;
}

/// The worked example: a text of the program's own with its answer.
struct Example {
  std::string text;
  std::vector<std::string> names;
  std::int64_t tokens = 0;
};

/// Makes the worked example by the program's loops, at its length.
template <typename Make, typename Length>
SyntheticDraft first_example(std::int64_t units, const Make& make, const Length& length,
                             const SyntheticRequest& request) {
  constexpr int kMostTriesAtLeastSize = 100;
  for (int tries = 0; tries < kMostTriesAtLeastSize;) {
    auto draft = make(units);
    if (draft && length(*draft) <= kExampleLength) return *std::move(draft);
    units > kExampleStep ? units -= kExampleStep : ++tries;
  }
  throw never_fits(request,
                   fmt::format("its worked example never fits in {} tokens", kExampleLength));
}

/// The draft, or the error that the program fails where it is not prepared to.
const SyntheticDraft& required(const std::optional<SyntheticDraft>& draft,
                               const SyntheticRequest& request) {
  if (draft) return *draft;
  throw UsageError(fmt::format(
      "protocol {}, task vt at length {}: with seed {} the program draws a variable twice while it "
      "looks for a size, and fails. Use another seed.",
      request.protocol, request.cell.length, request.seed));
}

class LmEvalVariableTracking final : public SyntheticProgram {
 public:
  LmEvalVariableTracking(SyntheticRequest request, ReferenceStreams& streams)
      : request_(std::move(request)) {
    const auto make_example = [&](std::int64_t units) {
      return draw(units, {.letters = kExampleNameLetters}, streams);
    };
    const std::int64_t units = grow_size(
        [&](std::int64_t tried) {
          return sizing_tokens(required(make_example(tried), request_)) + kTrackingRoom;
        },
        kExampleLength, kExampleStep, kExampleLength);
    const SyntheticDraft draft = first_example(
        units, make_example,
        [&](const SyntheticDraft& one) { return count(one.text()) + kTrackingRoom; }, request_);
    example_.names = draft.outputs;
    example_.text = fmt::format("{} {}\n\n", draft.text(), fmt::join(draft.outputs, " "));
    example_.tokens = count(example_.text);
  }

  std::int64_t find_size(ReferenceStreams& streams) const override {
    return grow_size(
        [&](std::int64_t units) {
          return sizing_tokens(required(make(units, streams), request_)) + kTrackingRoom +
                 example_.tokens;
        },
        request_.cell.length, step(), request_.cell.length);
  }

  std::optional<SyntheticDraft> make(std::int64_t units, ReferenceStreams& streams) const override {
    return draw(units, {}, streams);
  }

  void finish(SyntheticDraft& draft, ReferenceStreams& streams) const override {
    draft.lead = rename(example_.text, example_.names, streams) + "\n\n";
    draft.gen_prefix = strip(draft.gen_prefix);
  }

  std::int64_t length(const SyntheticDraft& draft) const override {
    return count(draft.text()) + kTrackingRoom + example_.tokens;
  }

  std::int64_t limit() const override { return request_.cell.length; }
  std::int64_t step() const override { return 10; }

 private:
  std::int64_t count(std::string_view text) const { return request_.counter.count(text); }

  /// The program sizes by the text with Python's way of printing the list of its answers.
  std::int64_t sizing_tokens(const SyntheticDraft& draft) const {
    return count(fmt::format("{} ['{}']", draft.text(), fmt::join(draft.outputs, "', '")));
  }

  static std::optional<SyntheticDraft> draw(std::int64_t units, const NameRules& rules,
                                            ReferenceStreams& streams) {
    const auto chain = draw_chain(rules, streams);
    if (!chain || units < 1) return std::nullopt;
    const std::string line = fmt::format("{}\n", kRepeatedLine);
    std::vector<std::string_view> lines(static_cast<std::size_t>(units), line);
    if (lines.size() <= kVariables) lines = cut_at_periods(line, units);
    const auto places = draw_places(lines.size(), streams);
    auto context = replace_all(join_lines(lines, *chain, places, " "), ". \n", ".\n");
    return draft_of(*chain, std::move(context), percent(places.front(), lines.size()), units,
                    kOldSpelling);
  }

  /// So few lines are cut into sentences, among them the newline that ends a line.
  static std::vector<std::string_view> cut_at_periods(std::string_view line, std::int64_t lines) {
    std::vector<std::string_view> pieces;
    for (std::int64_t i = 0; i < lines; ++i) {
      for (std::size_t begin = 0; begin < line.size();) {
        const std::size_t end = std::min(line.find('.', begin), line.size() - 1) + 1;
        pieces.push_back(line.substr(begin, end - begin));
        begin = end;
      }
    }
    return pieces;
  }

  SyntheticRequest request_;
  Example example_;
};

class RulerVariableTracking final : public SyntheticProgram {
 public:
  RulerVariableTracking(SyntheticRequest request, ReferenceStreams& streams)
      : request_(std::move(request)) {
    const auto make_example = [&](std::int64_t units) {
      return draw(units, rules(kExampleNameLetters, /*draws_value=*/false), streams);
    };
    const auto length_of = [&](std::int64_t units) {
      return count(required(make_example(units), request_).text());
    };
    const std::int64_t units = bisect(length_of, kExampleLength, kExampleStep);
    const SyntheticDraft draft = first_example(
        units, make_example, [&](const SyntheticDraft& one) { return count(one.text()); },
        request_);
    example_.names = draft.outputs;
    example_.text = fmt::format("{} {}\n", draft.text(), fmt::join(draft.outputs, " "));
    example_.tokens = count(example_.text);
  }

  std::int64_t find_size(ReferenceStreams& streams) const override {
    // The first text only tells how many tokens a line has, without example and answer.
    std::int64_t beside = 0;
    const auto length_of = [&](std::int64_t units) {
      const auto draft = draw(units, rules(kNameLetters, /*draws_value=*/true), streams);
      return count(required(draft, request_).text()) +
             std::exchange(beside, example_.tokens + kTrackingRoom);
    };
    return bisect(length_of, request_.cell.length, step());
  }

  std::optional<SyntheticDraft> make(std::int64_t units, ReferenceStreams& streams) const override {
    auto draft = draw(units, rules(kNameLetters, /*draws_value=*/true), streams);
    if (!draft) return draft;
    draft->lead = rename(example_.text, example_.names, streams);
    draft->lead = replace_all(std::move(draft->lead), kExampleValue, draw_value(streams)) + "\n";
    return draft;
  }

  std::int64_t length(const SyntheticDraft& draft) const override {
    return count(draft.text()) + kTrackingRoom;
  }

  std::int64_t limit() const override { return request_.cell.length; }
  std::int64_t step() const override { return request_.cell.length < 4096 ? 5 : 10; }

 private:
  std::int64_t count(std::string_view text) const { return request_.counter.count_bare(text); }

  /// Protocol niah makes RULER's texts, and fails at none.
  NameRules rules(int letters, bool draws_value) const {
    return {letters, draws_value, request_.protocol == "ruler"};
  }

  /// The program's search, whose upper end follows from a first text of `step` lines.
  static std::int64_t bisect(const LengthOfUnits& length_of, std::int64_t limit,
                             std::int64_t step) {
    const double per_line = static_cast<double>(length_of(step)) / static_cast<double>(step);
    const auto high = static_cast<std::int64_t>(static_cast<double>(limit) / per_line * 3);
    return bisect_size(length_of, limit, step, std::max(high, 2 * step));
  }

  std::optional<SyntheticDraft> draw(std::int64_t units, const NameRules& rules,
                                     ReferenceStreams& streams) const {
    const auto chain = draw_chain(rules, streams);
    if (!chain) return std::nullopt;
    const std::vector<std::string_view> lines(static_cast<std::size_t>(units), kRepeatedLine);
    const auto places = draw_places(lines.size(), streams);
    return draft_of(*chain, join_lines(lines, *chain, places, "\n"),
                    percent(places.front(), lines.size()), units,
                    request_.protocol == "ruler" ? kSpelling : kOldSpelling);
  }

  SyntheticRequest request_;
  Example example_;
};

}  // namespace

std::unique_ptr<const SyntheticProgram> lm_eval_variable_tracking(const SyntheticRequest& request,
                                                                  ReferenceStreams& streams) {
  return std::make_unique<LmEvalVariableTracking>(request, streams);
}

std::unique_ptr<const SyntheticProgram> ruler_variable_tracking(const SyntheticRequest& request,
                                                                ReferenceStreams& streams) {
  return std::make_unique<RulerVariableTracking>(request, streams);
}

}  // namespace niah::tasks
