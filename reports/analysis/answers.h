// The text of variants' answers, as far as the records keep it.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "reports/record.h"

namespace niah::reports {

/// The answer to one sample.
struct KeptAnswer {
  /// Without leading white space, which the chat templates of servers strip.
  std::string text;
  /// The answer may have been longer than `text`: the record keeps only the beginning, or
  /// generation was stopped as soon as the expected value had been found.
  bool may_go_on = false;
  std::optional<bool> same_again{};  ///< as in its record
  std::string again_failed{};        ///< likewise
  std::string answered_by{};         ///< as in its record
  bool operator==(const KeptAnswer&) const = default;
};

/// The answer in a scored record.
KeptAnswer kept_answer(const Record& record);

/// The number of code points before the first difference; nullopt if the answers are equal as far
/// as both were kept.
std::optional<std::int64_t> first_difference(const KeptAnswer& first, const KeptAnswer& second);

/// Identifies one cell of one variant.
struct CellName {
  std::string variant;  ///< fingerprint
  std::string kind;
  std::string task;
  std::int64_t length = 0;
  auto operator<=>(const CellName&) const = default;
};

/// Answers by cell and sample index.
using KeptAnswers = std::map<CellName, std::map<std::int64_t, KeptAnswer>>;

}  // namespace niah::reports
