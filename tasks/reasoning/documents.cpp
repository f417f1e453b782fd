#include "tasks/reasoning/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "tasks/needle/keys.h"
#include "tasks/needle/templates.h"
#include "tasks/reasoning/word_problem.h"
#include "tasks/task.h"

namespace niah::tasks {
namespace {

constexpr double kAnswerWeight = 3;

/// True with probability tenths/10.
bool chance(CounterRng& rng, std::uint64_t tenths) { return rng.below(10) < tenths; }

std::string random_key(CounterRng& rng) {
  const KeyList& keys = KeyList::instance();
  return keys.at(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(keys.size()))));
}

std::string random_number(CounterRng& rng) {
  return fmt::format("{}", rng.between(1'000'000, 9'999'999));
}

/// The question about `key` and the start of its answer.
std::string question(const Task& task, const std::string& key) {
  return question_tail(task, key) + " " + answer_prefix(task, key);
}

/// `count` sorted places among the `units` + 1 gaps.
std::vector<std::int64_t> places(CounterRng& rng, std::int64_t count, std::int64_t units) {
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < count; ++i) chosen.push_back(rng.between(0, units));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

DocumentKind parse_document_kind(const std::string& name) {
  constexpr std::array kNames = {"needle", "key_value", "copy", "text", "arithmetic"};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<DocumentKind>(i);
  throw UsageError(fmt::format("'{}' is not a kind of document{}", name,
                               did_you_mean(name, {kNames.begin(), kNames.end()})));
}

DocumentMaker::DocumentMaker(std::vector<std::string> sentences, const TokenCount& count)
    : sentences_(std::move(sentences)), count_(count) {
  check(!sentences_.empty(), "documents need text");
  tokens_.reserve(sentences_.size());
  for (const std::string& sentence : sentences_) tokens_.push_back(count_(" " + sentence));
  line_tokens_ = count_("\n" + std::string(kRepeatedLine));
}

Document DocumentMaker::make(DocumentKind kind, std::int64_t room, CounterRng& rng) const {
  switch (kind) {
    case DocumentKind::kNeedle:
      return needle(room, rng);
    case DocumentKind::kKeyValue:
      return key_value(room, rng);
    case DocumentKind::kCopy:
      return copy(room, rng);
    case DocumentKind::kText:
      return text(room, rng);
    case DocumentKind::kArithmetic:
      return arithmetic(room, rng);
  }
  throw std::logic_error("unknown kind of document");
}

/// Consecutive whole sentences from a random place, until there are at least `tokens`.
std::vector<std::string> DocumentMaker::passage(std::int64_t tokens, CounterRng& rng) const {
  std::vector<std::string> out;
  std::size_t at = rng.below(sentences_.size());
  for (std::int64_t sum = 0; sum < tokens; at = (at + 1) % sentences_.size()) {
    out.push_back(sentences_[at]);
    sum += tokens_[at];
  }
  return out;
}

Document DocumentMaker::needle(std::int64_t room, CounterRng& rng) const {
  const bool roomy = room > 300;
  const bool uuid = rng.below(2) == 0;
  const bool lines = rng.below(3) == 0;
  const Task task{.name = "", .value = uuid ? ValueType::kUuid : ValueType::kNumber};
  std::int64_t asked = roomy ? rng.between(1, 3) : (rng.below(3) == 2 ? 2 : 1);
  if (uuid) asked = std::min<std::int64_t>(asked, roomy ? 2 : 1);
  const std::int64_t distractors =
      roomy && !uuid ? std::max<std::int64_t>(0, rng.between(-1, 2)) : 0;
  const std::int64_t total = asked + distractors;

  std::vector<std::string> keys, values;
  for (std::int64_t i = 0; i < total; ++i) {
    keys.push_back(random_key(rng));
    values.push_back(uuid ? rng.uuid4() : random_number(rng));
  }
  const std::string head = question_head(task);
  std::vector<std::string> stems;
  // The newline at its end is counted with what follows.
  std::int64_t used = count_(std::string_view(head).substr(0, head.size() - 1)) + 20;
  for (std::int64_t i = 0; i < total; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::string sentence = needle_sentence(task.value, keys[at], "");
    stems.push_back(sentence.substr(0, sentence.find(':') + 1));
    used += count_(stems[at]) + 2 * count_(" " + values[at] + ".");
    if (i < asked) used += count_(question(task, keys[at]));
  }

  const std::int64_t free = std::max<std::int64_t>(0, room - used);
  const std::int64_t wanted = rng.between(free / 3, free);
  std::vector<std::string> units;
  if (lines)
    units.assign(static_cast<std::size_t>(wanted / line_tokens_ + 1), std::string(kRepeatedLine));
  else
    units = passage(wanted, rng);
  const auto at = places(rng, total, static_cast<std::int64_t>(units.size()));

  Document document = {{head, 1}};
  bool first = true;
  const auto gap = [&] { return std::exchange(first, false) ? "" : lines ? "\n" : " "; };
  std::size_t next = 0;
  for (std::size_t i = 0; i <= units.size(); ++i) {
    for (; next < at.size() && at[next] == static_cast<std::int64_t>(i); ++next) {
      document.push_back({gap() + stems[next], 1});
      document.push_back({" " + values[next], 0});
      document.push_back({".", 1});
    }
    if (i < units.size()) document.push_back({gap() + units[i], lines ? 0.2 : 1});
  }
  const auto order = rng.distinct(total, total);
  for (std::int64_t i = 0; i < asked; ++i) {
    const auto which = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
    document.push_back({question(task, keys[which]), 1});
    document.push_back({" " + values[which] + ".", kAnswerWeight});
  }
  return document;
}

Document DocumentMaker::key_value(std::int64_t room, CounterRng& rng) const {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kForms = {{
      {"{} is:", "."},
      {"The code for {} is", "."},
      {"{}:", "."},
      {"Remember that {} has", "."},
  }};
  const auto& [form, end] = kForms[rng.below(kForms.size())];
  const std::uint64_t type = rng.below(4);
  const auto value = [&]() -> std::string {
    if (type < 2) return random_number(rng);
    if (type == 3) return random_key(rng) + " " + random_key(rng);
    constexpr std::array<std::size_t, 3> kLengths = {8, 13, 18};
    return rng.uuid4().substr(0, kLengths[rng.below(3)]);
  };
  const std::int64_t pairs = rng.between(3, 8);
  std::vector<std::pair<std::string, std::string>> list;
  for (std::int64_t i = 0; i < pairs; ++i) {
    std::string key = random_key(rng);
    list.emplace_back(std::move(key), value());
  }
  Document document;
  std::int64_t used = 0;
  const auto add = [&](const std::pair<std::string, std::string>& pair, double weight) {
    document.push_back({"\n" + fmt::format(fmt::runtime(form), pair.first), 0.5});
    document.push_back({fmt::format(" {}{}", pair.second, end), weight});
    used += count_(document[document.size() - 2].text) + count_(document.back().text);
  };
  for (const auto& pair : list) add(pair, 0);
  if (chance(rng, 7)) {
    const std::int64_t free = std::max<std::int64_t>(1, room - 2 * used - 20);
    for (const std::string& sentence : passage(rng.between(0, free), rng))
      document.push_back({" " + sentence, 1});
  }
  for (std::int64_t i = 0; i < pairs + 2; ++i)
    add(list[rng.below(static_cast<std::uint64_t>(pairs))], kAnswerWeight);
  return document;
}

Document DocumentMaker::copy(std::int64_t room, CounterRng& rng) const {
  std::string passage_text;
  const std::uint64_t kind = rng.below(5);
  const auto long_enough = [&](std::int64_t tokens) { return count_(passage_text) >= tokens; };
  if (kind < 2) {
    constexpr std::array<std::string_view, 5> kEnds = {".", ",", "", " is", "\n"};
    while (!long_enough(room * 3 / 10)) {
      const std::uint64_t what = rng.below(5);
      const std::string item = what == 0   ? random_number(rng)
                               : what == 1 ? rng.uuid4()
                               : what == 2 ? fmt::format("{}", rng.below(100))
                                           : random_key(rng);
      passage_text += fmt::format(" {}{}", item, kEnds[rng.below(kEnds.size())]);
    }
  } else if (kind < 4) {
    while (!long_enough(room * 3 / 10))
      passage_text += chance(rng, 6) ? " " + random_key(rng) : fmt::format(" {}", rng.below(10000));
  } else {
    for (const std::string& sentence : passage(room / 3, rng)) passage_text += " " + sentence;
  }
  std::string between_text;
  for (const std::string& sentence : passage(rng.between(0, room / 4), rng))
    between_text += " " + sentence;
  Document document = {{passage_text, 0.5}};
  if (!between_text.empty()) document.push_back({between_text, 1});
  document.push_back({passage_text, 2});
  return document;
}

Document DocumentMaker::text(std::int64_t room, CounterRng& rng) const {
  Document document;
  for (const std::string& sentence : passage(room, rng)) document.push_back({" " + sentence, 1});
  return document;
}

Document DocumentMaker::arithmetic(std::int64_t room, CounterRng& rng) const {
  Document document;
  // Short stretches, so that sums and problems follow each other in every row.
  room = std::min<std::int64_t>(room, 200);
  for (std::int64_t used = 0; used < room; used += count_(document.back().text)) {
    const std::uint64_t kind = rng.below(20);
    if (kind < 5) {
      document.push_back({arithmetic_facts(rng, 4), 1});
    } else if (kind < 9) {
      document.push_back({arithmetic_chain(rng, rng.between(2, 5)), 1});
    } else if (kind < 14) {
      const WordProblem problem = make_word_problem(rng, rng.between(1, 6));
      document.push_back({problem.prompt() + problem.direct, 1});
    } else {
      const WordProblem problem = make_word_problem(rng, rng.between(2, 6));
      document.push_back({problem.question + "\nSolution:" + problem.chain_of_thought, 1});
    }
  }
  return document;
}

}  // namespace niah::tasks
