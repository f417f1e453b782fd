// RULER's tasks that hide no needle, as the reference programs make them: texts of any size, drawn
// from several random streams, and the loops around them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "tasks/needle/protocols.h"
#include "tasks/random/cpython.h"
#include "tasks/random/numpy.h"
#include "tasks/token_counter.h"

namespace niah::tasks {

/// What the programs draw from. The states before a sample make it again.
struct ReferenceStreams {
  CPythonRandom random;    ///< Python's own
  CPythonRandom shuffles;  ///< the one by which lm-eval shuffles the words of cwe
  NumpyRandom numpy;
};

/// A text in its parts.
struct SyntheticDraft {
  std::string lead = {};  ///< a worked example before it
  std::string head = {};
  std::string context = {};
  std::string tail = {};  ///< the question
  std::string gen_prefix = {};
  std::vector<std::string> outputs = {};
  std::string key = {};     ///< what is asked for
  std::string needle = {};  ///< the sentence where the answer begins; empty if it is everywhere
  double depth = 0;         ///< of that sentence, percent
  std::int64_t units = 0;   ///< lines or words of the context

  /// The text without gen_prefix.
  std::string input() const { return lead + head + context + tail; }
  std::string text() const { return input() + " " + gen_prefix; }
};

/// A task as one of the programs makes it, at one length.
class SyntheticProgram {
 public:
  virtual ~SyntheticProgram() = default;
  /// How many lines or words the program settles on, by drawing texts.
  virtual std::int64_t find_size(ReferenceStreams& streams) const = 0;
  /// One text of that size; nullopt where the program raises an exception.
  virtual std::optional<SyntheticDraft> make(std::int64_t units,
                                             ReferenceStreams& streams) const = 0;
  /// What the program does to a text that fits.
  virtual void finish(SyntheticDraft&, ReferenceStreams&) const {}
  /// Tokens of what make() gave as the program counts them, answer room included.
  virtual std::int64_t length(const SyntheticDraft& draft) const = 0;
  /// The greatest length() that the program takes.
  virtual std::int64_t limit() const = 0;
  /// How many lines or words the program takes away where a text is too long.
  virtual std::int64_t step() const = 0;
};

/// What all programs are made for.
struct SyntheticRequest {
  std::string protocol;
  CellRequest cell;
  TokenCounter counter;
  std::uint64_t seed = 0;  ///< of the run
};

/// The worked example of the task is drawn from `streams`. Throws UsageError where the program
/// could make no sample.
std::unique_ptr<const SyntheticProgram> open_lm_eval_program(const SyntheticRequest& request,
                                                             ReferenceStreams& streams);
std::unique_ptr<const SyntheticProgram> open_ruler_program(const SyntheticRequest& request,
                                                           ReferenceStreams& streams);

/// The streams of lm-eval's process, and of one of RULER's scripts.
ReferenceStreams lm_eval_streams(std::uint64_t seed);
ReferenceStreams ruler_streams(std::uint64_t seed);

/// How to make a sample again.
struct SyntheticPlan {
  ReferenceStreams streams;
  std::int64_t units = 0;
  std::int64_t length = 0;  ///< as the program reports it
};

/// The loop of both programs for one sample: draws texts of `units`, each a step smaller than the
/// one before it, until one fits. Moves `streams` on. Throws UsageError where none ever will.
SyntheticPlan plan_synthetic(const SyntheticProgram& program, const SyntheticRequest& request,
                             std::int64_t units, ReferenceStreams& streams);

/// The sample of a finished draft; `length` as the protocol counts it.
Sample sample_of(const SyntheticRequest& request, std::int64_t index, const SyntheticDraft& draft,
                 std::int64_t length);

/// A cell of planned samples.
std::unique_ptr<Cell> make_synthetic_cell(std::shared_ptr<const SyntheticProgram> program,
                                          const SyntheticRequest& request,
                                          std::vector<SyntheticPlan> plans);

/// Tokens of a text of so many lines or words, answer room included.
using LengthOfUnits = std::function<std::int64_t(std::int64_t)>;

/// lm-eval's way to a size: one step below the first that is too long, and never above `most`.
std::int64_t grow_size(const LengthOfUnits& length_of, std::int64_t limit, std::int64_t step,
                       std::int64_t most);
/// RULER's way: the largest from `low` to `high` that fits, by bisection; `low` if none does.
std::int64_t bisect_size(const LengthOfUnits& length_of, std::int64_t limit, std::int64_t low,
                         std::int64_t high);

/// The error for a length at which there are no samples.
UsageError never_fits(const SyntheticRequest& request, const std::string& why);

}  // namespace niah::tasks
