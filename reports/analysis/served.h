// A served variant against the checkpoint that it serves: what of a loss is the server's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/analysis/pairs.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// How far the texts of two variants agree on the samples that both were scored on.
struct TextAgreement {
  std::int64_t compared = 0;
  std::int64_t equal = 0;  ///< as far as both were kept
  /// Characters that are the same before two texts part, over the texts that do: the fewest, and
  /// the median. White space at the beginning does not count.
  std::optional<std::int64_t> earliest;
  std::optional<double> median;
  bool operator==(const TextAgreement&) const = default;
};

/// A task at a length. The pairs' first is the checkpoint, the second the server.
struct ServedCell {
  std::string task;
  std::int64_t length = 0;
  PairCounts pairs;
  double p = 1;         ///< exact two-sided McNemar
  double adjusted = 1;  ///< as ServedComparison::adjusted
  TextAgreement texts;
  std::int64_t unmeasured = 0;  ///< samples that the server was asked and that were not scored
};

/// A band of depths, all tasks and lengths together.
struct ServedBand {
  double low = 0;  ///< percent
  double high = 0;
  PairCounts pairs;
  TextAgreement texts;
};

/// A sample whose texts are not the same.
struct DifferingSample {
  std::string task;
  std::int64_t length = 0;
  std::int64_t index = 0;
  double depth = 0;  ///< percent
  bool is_local_hit = false;
  bool is_served_hit = false;
  std::int64_t same = 0;  ///< characters before they part
  std::string local;
  std::string served;
};

/// One served variant against its checkpoint, over all recall cells.
struct ServedComparison {
  enum class Verdict {
    kAlone,    ///< nothing of its model was run here
    kNotSaid,  ///< the run does not say whose checkpoint it serves
    kNotRun,   ///< that variant was not run here
    kNoPairs,  ///< no sample was scored on both
    kTooFew,   ///< n is too small to tell
    kNoLoss,   ///< the server lost nothing that n would show
    kLoss,     ///< the server loses what the checkpoint finds
    kGain,     ///< it finds what the checkpoint does not
  };
  std::string variant;  ///< fingerprint
  std::string local;    ///< fingerprint of its checkpoint; empty where there is none
  Verdict verdict = Verdict::kAlone;
  PairCounts pairs;  ///< over all cells; first: the checkpoint
  double p = 1;      ///< exact two-sided McNemar
  /// Adjusted for the number of tests. All cells together are one question and the single cells are
  /// another (Holm); where there are several cells, each question has half of alpha.
  double adjusted = 1;
  std::optional<double> detectable;  ///< the smallest drop over all cells that n would show
  TextAgreement texts;
  std::vector<ServedCell> cells;  ///< in the run's order
  std::vector<ServedBand> bands;  ///< shallow first; empty without a checkpoint
  /// A few samples whose texts differ: what the server lost first, then what it gained.
  std::vector<DifferingSample> differing;
  std::int64_t asked = 0;                          ///< samples with an outcome, of every kind
  std::map<std::string, std::int64_t> unmeasured;  ///< of those, by outcome
  std::map<std::string, std::string> unmeasured_details;  ///< as Cell has them
  std::map<std::string, std::int64_t> answered_by;  ///< answers by the name of the model in them
  std::int64_t asked_twice = 0;
  std::int64_t answered_otherwise = 0;  ///< of those, the second time
  std::int64_t failed_again = 0;    ///< asked a second time and not answered; not in asked_twice
  std::string failed_again_detail;  ///< why, of the first of them

  /// The cell in which the server significantly lost most, or nullptr.
  const ServedCell* worst_cell() const;
};

/// One for each served variant of the run, in its order. Deterministic.
std::vector<ServedComparison> compare_served(const Results& results);

}  // namespace niah::reports
