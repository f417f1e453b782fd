// A cell: the samples of one variant, task and length, and the figures computed from them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/analysis/statistics.h"
#include "reports/record.h"

namespace niah::reports {

/// What a report keeps of one sample: enough to pair it with another variant's and to sort it by
/// depth.
struct Outcome {
  std::int64_t index = 0;
  double depth = 0;          ///< requested depth, percent
  std::uint64_t prompt = 0;  ///< first 64 bits of the prompt's SHA-256; 0 if it was not built
  bool scored = false;
  bool hit = false;
  std::optional<double> log_prob;  ///< natural log, sum over the expected answer's tokens
  /// Where the needle stands, percent; in files of earlier versions the requested depth.
  double real_depth = 0;
  bool operator==(const Outcome&) const = default;
};

/// One variant on one task at one length. A cell with `n` = 0 could not be measured: it is a gap,
/// not a recall of zero.
struct Cell {
  std::string kind;     ///< "recall" or "reasoning"
  std::string variant;  ///< fingerprint
  std::string task;
  std::int64_t length = 0;  ///< nominal tokens; 0 for reasoning

  std::int64_t n = 0;     ///< scored samples
  std::int64_t hits = 0;  ///< samples of which all expected answers were found
  double mean_score = 0;  ///< mean share of the expected answers found; 0 if n = 0
  std::map<std::string, std::int64_t> misses;      ///< by miss class
  std::map<std::string, std::int64_t> unmeasured;  ///< by outcome ("oom")
  /// For each such outcome, the first sample's detail line; no entry if no sample gave one.
  std::map<std::string, std::string> unmeasured_details;
  double mean_real_length = 0;  ///< over scored samples, tokens
  std::int64_t min_real_length = 0;
  std::optional<double> mean_log_prob;
  std::optional<double> median_rank;
  std::vector<Outcome> samples;  ///< ascending index, scored or not
  bool operator==(const Cell&) const = default;

  /// hits / n. Requires n > 0.
  double recall() const { return static_cast<double>(hits) / static_cast<double>(n); }
  /// Wilson's 95 % interval of the recall. Requires n > 0.
  Interval interval() const { return wilson_interval(hits, n); }
  /// The number of samples that were asked but not scored.
  std::int64_t unmeasured_count() const;
  /// The number of misses by format: the answer never came, or came inside the thought.
  std::int64_t format_misses() const;
};

/// Hits among the n samples at depths in [low, high) percent; the last band includes 100.
struct DepthBand {
  double low = 0;
  double high = 0;
  std::int64_t n = 0;
  std::int64_t hits = 0;
  std::int64_t unmeasured = 0;  ///< asked but not scored
};

/// The index of the band, out of `bands` of equal width, that a depth in percent falls in.
int depth_band(double depth, int bands);

/// The number of depth bands that reports divide a cell into.
inline constexpr int kDepthBands = 10;

/// The cell's samples in `bands` bands of equal width over 0..100 percent, shallow first, by the
/// depth at which their needles stand.
std::vector<DepthBand> depth_bands(const Cell& cell, int bands = kDepthBands);

/// The scored samples of each requested depth (low = high).
std::vector<DepthBand> depth_points(const Cell& cell);

/// Whether a miss class is a miss by format, which says nothing about retrieval.
bool is_format_miss(std::string_view miss);

/// A miss class as shown in reports: "wrong_value" → "wrong value".
std::string miss_label(std::string_view miss);

/// What answers of a miss class are, for newcomers; "" for a class of another name.
std::string_view miss_meaning(std::string_view miss);

/// An outcome that is not "scored" as people read it: "oom" → "out of memory", "cut" → "cut by the
/// server". A number may stand before it.
std::string outcome_label(std::string_view outcome);

/// "10 out of memory, 2 cut by the server"; an outcome's entry in `details` follows it in brackets.
std::string unmeasured_words(const std::map<std::string, std::int64_t>& unmeasured,
                             const std::map<std::string, std::string>& details = {});

}  // namespace niah::reports
