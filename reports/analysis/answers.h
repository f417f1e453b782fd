// What variants said word for word, as far as records keep it.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "reports/record.h"

namespace niah::reports {

/// What was said to one sample.
struct KeptAnswer {
  /// Without white space at its beginning, which the chat templates of servers swallow.
  std::string text;
  /// It may have gone on: the record keeps only its beginning, or nobody waited for its end since
  /// the answer was found.
  bool may_go_on = false;
  std::optional<bool> same_again{};  ///< as in its record
  std::string again_failed{};        ///< likewise
  std::string answered_by{};         ///< as in its record
  bool operator==(const KeptAnswer&) const = default;
};

/// The answer of a record that is scored.
KeptAnswer kept_answer(const Record& record);

/// How many characters are the same before the two part; nullopt where they are equal as far as
/// both were kept.
std::optional<std::int64_t> first_difference(const KeptAnswer& first, const KeptAnswer& second);

/// A variant's cell, by name.
struct CellName {
  std::string variant;  ///< fingerprint
  std::string kind;
  std::string task;
  std::int64_t length = 0;
  auto operator<=>(const CellName&) const = default;
};

/// Answers by cell and index.
using KeptAnswers = std::map<CellName, std::map<std::int64_t, KeptAnswer>>;

}  // namespace niah::reports
