// A served variant compared with the checkpoint that it serves: how much of a loss is due to the
// server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/analysis/pairs.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// How far the texts of two variants agree on the samples scored for both.
struct TextAgreement {
  std::int64_t compared = 0;
  std::int64_t equal = 0;  ///< as far as both texts were kept
  /// Characters before the first difference, among the pairs of texts that differ: the smallest
  /// count and the median. Leading white space does not count.
  std::optional<std::int64_t> earliest;
  std::optional<double> median;
  bool operator==(const TextAgreement&) const = default;
};

/// A task at a length. In `pairs` the checkpoint is first, the server second.
struct ServedCell {
  std::string task;
  std::int64_t length = 0;
  PairCounts pairs;
  double p = 1;         ///< exact two-sided McNemar
  double adjusted = 1;  ///< see ServedComparison::adjusted
  TextAgreement texts;
  std::int64_t unmeasured = 0;  ///< samples sent to the server that were not scored
};

/// A depth band, over all tasks and lengths.
struct ServedBand {
  double low = 0;  ///< percent
  double high = 0;
  PairCounts pairs;
  TextAgreement texts;
};

/// A sample with different texts.
struct DifferingSample {
  std::string task;
  std::int64_t length = 0;
  std::int64_t index = 0;
  double depth = 0;  ///< percent
  bool is_local_hit = false;
  bool is_served_hit = false;
  std::int64_t same = 0;  ///< characters before the first difference
  std::string local;
  std::string served;
};

/// One served variant compared with its checkpoint over all recall cells.
struct ServedComparison {
  enum class Verdict {
    kAlone,    ///< no variant of its model was run locally
    kNotSaid,  ///< the run does not say which checkpoint it serves
    kNotRun,   ///< the variant it serves was not run locally
    kNoPairs,  ///< no sample was scored for both
    kTooFew,   ///< n is too small to tell
    kNoLoss,   ///< no loss was found, and n is large enough to detect one
    kLoss,     ///< the server misses what the checkpoint finds
    kGain,     ///< the server finds what the checkpoint misses
  };
  std::string variant;  ///< fingerprint
  std::string local;    ///< fingerprint of its checkpoint; empty without one
  Verdict verdict = Verdict::kAlone;
  PairCounts pairs;  ///< over all cells; the checkpoint is first
  double p = 1;      ///< exact two-sided McNemar
  /// p corrected for the number of tests. The test over all cells and the family of single-cell
  /// tests (Holm) each get half of alpha; with only one cell they are the same test, which gets all
  /// of it.
  double adjusted = 1;
  std::optional<double> detectable;  ///< smallest drop over all cells that n detects
  TextAgreement texts;
  std::vector<ServedCell> cells;  ///< in the run's order
  std::vector<ServedBand> bands;  ///< shallow first; empty without a checkpoint
  /// A few samples with different texts: losses of the server first, then its gains, then the
  /// others.
  std::vector<DifferingSample> differing;
  std::int64_t asked = 0;                          ///< samples with an outcome, of every kind
  std::map<std::string, std::int64_t> unmeasured;  ///< of those, by outcome
  std::map<std::string, std::string> unmeasured_details;  ///< as Cell has them
  std::map<std::string, std::int64_t> answered_by;  ///< answers by the name of the model in them
  std::int64_t asked_twice = 0;
  std::int64_t answered_otherwise = 0;  ///< of those, the second time
  std::int64_t failed_again = 0;    ///< asked a second time and not answered; not in asked_twice
  std::string failed_again_detail;  ///< why, of the first of them

  /// The cell with the server's largest significant loss, or nullptr.
  const ServedCell* worst_cell() const;
};

/// One comparison per served variant, in the run's order. Deterministic.
std::vector<ServedComparison> compare_served(const Results& results);

}  // namespace niah::reports
