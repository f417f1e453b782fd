#include "reports/analysis/answers.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "harness/base/text.h"
#include "harness/base/utf8.h"

namespace niah::reports {
namespace {

constexpr std::string_view kMore = "...";

void drop_end(std::string& text, std::string_view end) {
  while (!end.empty() && text.ends_with(end)) text.resize(text.size() - end.size());
}

}  // namespace

KeptAnswer kept_answer(const Record& record) {
  KeptAnswer answer;
  answer.text =
      record.text.substr(std::min(record.text.find_first_not_of(" \t\r\n"), record.text.size()));
  const bool is_cut = record.text.size() > kMostTextBytes && record.text.ends_with(kMore);
  if (is_cut) answer.text.resize(std::max(answer.text.size(), kMore.size()) - kMore.size());
  answer.may_go_on = is_cut || record.score >= 1;
  // Drop the replacement character of a code point that was cut in two.
  if (answer.may_go_on) drop_end(answer.text, kReplacementCharacter);
  answer.same_again = record.same_again;
  answer.again_failed = record.again_failed;
  answer.answered_by = record.answered_by;
  return answer;
}

std::optional<std::int64_t> first_difference(const KeptAnswer& first, const KeptAnswer& second) {
  const std::string& a = first.text;
  const std::string& b = second.text;
  const auto parted = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  auto same = static_cast<std::size_t>(parted.first - a.begin());
  const bool is_first_over = same == a.size(), is_second_over = same == b.size();
  if (is_first_over && is_second_over) return std::nullopt;
  if ((is_first_over && first.may_go_on) || (is_second_over && second.may_go_on))
    return std::nullopt;
  // Different code points may begin with the same bytes: go back to where the code point begins.
  const std::string& longer = is_first_over ? b : a;
  while (same > 0 && !begins_code_point(longer[same])) --same;
  return static_cast<std::int64_t>(count_code_points(std::string_view(a).substr(0, same)));
}

}  // namespace niah::reports
