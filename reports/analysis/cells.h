// Cells: what all samples of one variant, task and length say together.
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

/// What a report keeps of one sample: enough to pair it and to place it by depth.
struct Outcome {
  std::int64_t index = 0;
  double depth = 0;  ///< requested depth, percent
  std::uint64_t prompt =
      0;  ///< first 16 hex digits of the prompt's SHA-256; 0 when it was not built
  bool scored = false;
  bool hit = false;
  std::optional<double> log_prob;  ///< natural log, sum over the expected answer's tokens
  bool operator==(const Outcome&) const = default;
};

/// One variant on one task at one length. `n` = 0 is a cell that could not be measured: a gap, not
/// a recall of zero.
struct Cell {
  std::string kind;     ///< "recall" or "reasoning"
  std::string variant;  ///< fingerprint
  std::string task;
  std::int64_t length = 0;  ///< nominal tokens; 0 for reasoning

  std::int64_t n = 0;     ///< scored samples
  std::int64_t hits = 0;  ///< samples of which all expected answers were found
  double mean_score = 0;  ///< mean share of the expected answers found; 0 when n = 0
  std::map<std::string, std::int64_t> misses;      ///< by miss class
  std::map<std::string, std::int64_t> unmeasured;  ///< by outcome ("oom")
  /// Of each such outcome what was said of the first sample, in one line; none where nothing was.
  std::map<std::string, std::string> unmeasured_details;
  double mean_real_length = 0;  ///< over scored samples, tokens
  std::int64_t min_real_length = 0;
  std::optional<double> mean_log_prob;
  std::optional<double> median_rank;
  std::vector<Outcome> samples;  ///< ascending index, scored or not
  bool operator==(const Cell&) const = default;

  /// hits / n; only for n > 0.
  double recall() const { return static_cast<double>(hits) / static_cast<double>(n); }
  /// Wilson's 95 % interval of the recall; only for n > 0.
  Interval interval() const { return wilson_interval(hits, n); }
  std::int64_t unmeasured_count() const;
  /// Misses that say nothing about retrieval: the answer never came, or came in the wrong place.
  std::int64_t format_misses() const;
};

/// Hits among n for depths in [low, high) percent; the last band includes 100.
struct DepthBand {
  double low = 0;
  double high = 0;
  std::int64_t n = 0;
  std::int64_t hits = 0;
};

/// Which of `bands` bands of equal width a depth in percent falls in.
int depth_band(double depth, int bands);

/// Bands of depth that reports cut a cell into.
inline constexpr int kDepthBands = 10;

/// The cell's scored samples in `bands` bands of equal width over 0..100 percent, shallow first.
std::vector<DepthBand> depth_bands(const Cell& cell, int bands = kDepthBands);

/// The same by each depth that was asked for (low = high).
std::vector<DepthBand> depth_points(const Cell& cell);

/// Whether a miss class says nothing about retrieval (format, token limit).
bool is_format_miss(std::string_view miss);

/// A miss class as people read it: "wrong_value" → "wrong value".
std::string miss_label(std::string_view miss);

/// What answers of a miss class are, for newcomers; "" for a class of another name.
std::string_view miss_meaning(std::string_view miss);

/// An outcome that is not "scored" as people read it: "oom" → "out of memory", "cut" → "cut by the
/// server". A number may stand before it.
std::string outcome_label(std::string_view outcome);

/// "10 out of memory, 2 cut by the server"; with `details` what was said of the first of each
/// follows in brackets.
std::string unmeasured_words(const std::map<std::string, std::int64_t>& unmeasured,
                             const std::map<std::string, std::string>& details = {});

}  // namespace niah::reports
