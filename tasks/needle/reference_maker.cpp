#include "tasks/needle/reference_maker.h"

#include <algorithm>
#include <utility>

#include "harness/base/error.h"
#include "tasks/needle/keys.h"
#include "tasks/needle/templates.h"

namespace niah::tasks {
namespace {

/// A needle and where the program put it.
struct ReferenceNeedle {
  std::string sentence;
  double depth = 0;  ///< percent
};

std::string draw_token(CPythonRandom& random, ValueType kind) {
  switch (kind) {
    case ValueType::kWords: {
      const auto& keys = KeyList::instance();
      return keys.at(
          static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(keys.size()))));
    }
    case ValueType::kNumber:
      return std::to_string(random.randint(1'000'000, 9'999'999));
    case ValueType::kUuid:
      return random.uuid4();
  }
  throw std::logic_error("a kind of token is not handled");
}

/// Places the needles between sentences and adds the context; records the needles' depths.
void add_text(PromptParts& parts, const ReferenceText& text, std::int64_t words,
              std::vector<ReferenceNeedle>& needles, CPythonRandom& random) {
  const auto lead = text.lead(words);
  auto picks = random.sample(depths().size(), needles.size());
  std::sort(picks.begin(), picks.end());
  std::int64_t done = 0;
  for (std::size_t i = 0; i < needles.size(); ++i) {
    const int depth = depths()[picks[i]];
    const std::int64_t place = depth_position(lead->size(), depth);
    needles[i].depth = depth;
    add_sentences(parts, *lead, done, place);
    // The spaces stay even if a side is empty: the programs join empty strings, too.
    parts.add(" ").add(needles[i].sentence).add(" ");
    done = place;
  }
  add_sentences(parts, *lead, done, lead->size());
}

/// The lines of a haystack that is made of needles with other keys.
std::vector<std::string> draw_lines(const Task& task, std::int64_t count, CPythonRandom& random) {
  std::vector<std::string> lines;
  lines.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto key = draw_token(random, task.key);
    lines.push_back(needle_sentence(task.value, key, draw_token(random, task.value)));
  }
  return lines;
}

/// Places the needles before lines and adds the context; records the needles' depths.
void add_lines(PromptParts& parts, const Task& task, std::int64_t count,
               std::vector<ReferenceNeedle>& needles, CPythonRandom& random) {
  const bool drawn = task.haystack == HaystackType::kDistractors;
  const auto lines = drawn ? draw_lines(task, count, random) : std::vector<std::string>();
  const auto total = static_cast<std::size_t>(count);
  auto places = random.sample(total, needles.size());
  std::sort(places.begin(), places.end());
  std::int64_t done = 0;
  bool first = true;
  const auto add_line = [&](std::string_view line) {
    parts.add(first ? "" : "\n").add(line);
    first = false;
  };
  const auto add_until = [&](std::int64_t end) {
    if (end == done) return;
    if (!drawn) {
      parts.add(first ? "" : "\n").add_units(done, end);
      first = false;
    }
    for (std::int64_t i = done; drawn && i < end; ++i) add_line(lines[static_cast<std::size_t>(i)]);
    done = end;
  };
  for (std::size_t i = 0; i < places.size(); ++i) {
    // The programs insert from the back: the first needle takes the last place.
    ReferenceNeedle& needle = needles[needles.size() - 1 - i];
    needle.depth = 100.0 * static_cast<double>(places[i]) / static_cast<double>(count);
    add_until(static_cast<std::int64_t>(places[i]));
    add_line(needle.sentence);
  }
  add_until(count);
}

}  // namespace

ReferenceDraft make_draft(const Task& task, const ReferenceHaystack& haystack, std::int64_t units,
                          std::uint64_t shuffle_seed, CPythonRandom& random) {
  std::vector<std::string> keys;
  std::vector<std::vector<std::string>> values;
  std::vector<ReferenceNeedle> needles;
  for (int k = 0; k < task.keys; ++k) {
    keys.push_back(draw_token(random, task.key));
    auto& own = values.emplace_back();
    for (int v = 0; v < task.values; ++v) {
      own.push_back(draw_token(random, task.value));
      needles.push_back({needle_sentence(task.value, keys.back(), own.back()), 0});
    }
  }
  CPythonRandom(shuffle_seed).shuffle(needles);

  const bool in_text = task.haystack == HaystackType::kText;
  ReferenceDraft draft{
      .input = PromptParts(in_text ? haystack.text().haystack_text() : haystack.lines())};
  const std::string head = question_head(task);
  draft.input.add(head);
  if (in_text) {
    add_text(draft.input, haystack.text(), units, needles, random);
  } else {
    add_lines(draft.input, task, units, needles, random);
  }

  std::vector<std::string> queries;
  for (const auto i : random.sample(keys.size(), static_cast<std::size_t>(task.queries))) {
    queries.push_back(keys[i]);
    draft.outputs.insert(draft.outputs.end(), values[i].begin(), values[i].end());
  }
  draft.query = join_query(queries);
  const std::string tail = question_tail(task, draft.query);
  draft.input.add(tail);
  draft.frame = {head.size(), tail.size()};
  draft.needle = needle_sentence(task.value, queries.front(), draft.outputs.front());
  const auto asked =
      std::find_if(needles.begin(), needles.end(),
                   [&](const ReferenceNeedle& needle) { return needle.sentence == draft.needle; });
  check(asked != needles.end(), "the needle asked for is one of the needles");
  draft.depth = asked->depth;
  if (task.haystack != HaystackType::kDistractors)
    draft.first_depth =
        std::min_element(needles.begin(), needles.end(), [](const auto& a, const auto& b) {
          return a.depth < b.depth;
        })->depth;
  return draft;
}

}  // namespace niah::tasks
