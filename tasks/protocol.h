// The protocols. Each decides a sample's keys, values, depths and amount of haystack.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tasks/haystack/sources.h"
#include "tasks/needle/own_needle.h"
#include "tasks/sample.h"

namespace niah::tasks {

/// One cell of a sweep: a task at a length.
struct CellRequest {
  std::string task;          ///< "s1", "s2", "s3", ...
  std::int64_t length = 0;   ///< nominal tokens, answer room included
  std::int64_t samples = 0;  ///< how many may be asked for: indexes 0 .. samples-1
};

/// The samples of one cell, made one at a time. All members are const and safe from several
/// threads.
class Cell {
 public:
  virtual ~Cell() = default;
  /// Sample number `ordinal`, 0 .. request().samples-1.
  virtual Sample sample(std::int64_t ordinal) const = 0;
  /// sample(ordinal).index, without making the sample: they differ only when some samples of a cell
  /// are missing: from a file, or left out by lm-eval.
  virtual std::int64_t index(std::int64_t ordinal) const { return ordinal; }
  /// Up to which part of its text, from 0 to 1, sample(ordinal) is like the others of its cell: to
  /// its first needle, roughly.
  virtual double alike_until(std::int64_t ordinal) const = 0;
  virtual const CellRequest& request() const = 0;
};

/// The inputs of a protocol.
struct ProtocolSpec {
  std::string protocol = "niah";  ///< "niah", "lm-eval" or "ruler"
  std::uint64_t seed = 0;
  std::shared_ptr<const Haystack> haystack;  ///< for s2, s3; s1 brings its own
  TokenCount count;
  /// Whether token counts add up when a text is cut before a space that is between a visible ASCII
  /// character and an ASCII letter: true of byte-level BPE with a GPT-style pre-tokenizer (GPT,
  /// Llama 3, Qwen), not of SentencePiece. Then a haystack is counted once, not once for every
  /// sample. The samples are the same either way.
  bool counts_add = false;
  /// Depths in percent for the needles that are asked for, in turn: sample i has its first one at
  /// depth i modulo their number. Of protocol niah alone; empty: those of RULER.
  std::vector<double> depths = {};
  /// Tasks in addition to the protocol's. Of protocol niah alone.
  std::vector<OwnNeedle> needles = {};
};

/// The cells of `requests`, in that order, which matters for lm-eval: one random stream runs
/// through all of them. Throws UsageError for an unknown protocol or task (with the nearest name),
/// or a length too small for template, needle and answer (with the smallest that fits).
std::vector<std::unique_ptr<Cell>> make_cells(const ProtocolSpec& spec,
                                              const std::vector<CellRequest>& requests);

/// The own needle of that name, or nullptr.
const OwnNeedle* find_own_needle(const ProtocolSpec& spec, const std::string& name);

/// The names of the tasks a protocol has, in order.
std::vector<std::string> task_names(const std::string& protocol);

}  // namespace niah::tasks
