#include "tasks/sample_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/json_integer.h"
#include "harness/base/sha256.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"
#include "tasks/needle/protocols.h"
#include "tasks/sample_paths.h"
#include "tasks/task.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

using nlohmann::json;

/// A file with its content.
struct Source {
  SampleFile file;
  MappedFile content;
  SampleMaker maker;  ///< of a log of ours whose run is there
  explicit Source(SampleFile what) : file(std::move(what)), content(file.path, "reading samples") {}
};

/// One line of a source.
struct Line {
  std::shared_ptr<const Source> source;
  std::string_view text;
  std::int64_t number = 0;
};

[[noreturn]] void refuse(const Line& line, std::string_view what) {
  throw DataError(fmt::format("reading samples from {}, line {}: {}",
                              line.source->file.path.string(), line.number, what));
}

template <typename T>
T field(const Line& line, const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) refuse(line, fmt::format("field '{}' is missing", name));
  try {
    if constexpr (std::is_integral_v<T>) {
      if (is_integer_of<T>(*found)) return found->get<T>();
      if (found->is_number_integer())
        refuse(line, fmt::format("field '{}' is {}, which is out of range", name, found->dump()));
    } else {
      return found->get<T>();
    }
  } catch (const json::exception&) {
  }
  refuse(line, fmt::format("field '{}' is a {}, which is not the type it should have", name,
                           found->type_name()));
}

double percent_field(const Line& line, const json& object, const char* name) {
  const auto value = field<double>(line, object, name);
  if (!(value >= 0 && value <= 100)) refuse(line, "a depth is not a percentage from 0 to 100");
  return value;
}

bool hides_needles(const Task& task) { return task.family == TaskFamily::kNeedle; }

std::string require_task(const Line& line) {
  const SampleFile& file = line.source->file;
  const std::string task = file.task.empty() ? task_of_path(file.path) : file.task;
  if (task.empty())
    refuse(line,
           "neither the line nor the file's name says which task this is; give `task: s2` (or "
           "another) next to the path");
  return task;
}

/// Finds the needle by the value that is asked for, and fills in span and depths.
void locate_needle(const Line& line, Sample& sample) {
  if (sample.outputs.empty()) refuse(line, "it expects no answer");
  const std::string& input = sample.input;
  const std::size_t value = input.find(" is: " + sample.outputs.front());
  const std::size_t begin =
      value == std::string::npos ? value : input.rfind("One of the special magic ", value);
  if (begin == std::string::npos)
    refuse(line, fmt::format("there is no needle with the answer '{}' in the text",
                             valid_utf8(sample.outputs.front())));
  const std::size_t end =
      std::min(input.size(), value + 5 + sample.outputs.front().size() + 1);  // and its period
  const std::size_t head = input.find('\n'), tail = input.rfind('\n');
  if (head == std::string::npos || head >= begin || tail < end)
    refuse(line,
           "the text is not an introduction, a haystack and a question on lines of their own");
  complete_sample(sample, std::string_view(input).substr(begin, end - begin),
                  {head + 1, input.size() - tail});
  sample.depth = sample.real_depth;
}

/// As locate_needle(), for a task that hides none: the first assignment of vt, and nothing of a
/// task whose answer is everywhere in the text.
void locate_answer(const Line& line, const Task& task, Sample& sample) {
  if (sample.outputs.empty()) refuse(line, "it expects no answer");
  sample.answer_tokens = task.answer_tokens;
  if (sample.protocol == "lm-eval") sample.target_delimiter = task.lm_eval_delimiter;
  if (task.family != TaskFamily::kVariableTracking) return complete_sample(sample, "", {});
  const std::string& input = sample.input;
  const std::size_t begin = input.rfind(fmt::format("VAR {} = ", sample.outputs.front()));
  const std::size_t value = begin == input.npos ? begin : input.find(" = ", begin) + 3;
  const std::size_t head = input.rfind("\n\n", begin), tail = input.rfind('\n');
  const std::size_t end = std::min(input.find_first_not_of("0123456789", value), input.size());
  if (begin == input.npos || head == input.npos || end == value || tail < end)
    refuse(line, fmt::format("no number is assigned to the first variable, '{}', in the text",
                             valid_utf8(sample.outputs.front())));
  sample.key = input.substr(value, end - value);
  complete_sample(sample, std::string_view(input).substr(begin, end - begin),
                  {head + 2, input.size() - tail});
  sample.depth = sample.real_depth;
}

/// Fills in what follows from the text, by the kind of task.
void locate(const Line& line, Sample& sample) {
  const Task* task = known_task(sample.task);
  if (task == nullptr || hides_needles(*task)) return locate_needle(line, sample);
  locate_answer(line, *task, sample);
}

/// "KEY" of "The special magic number for KEY mentioned in the provided text is".
std::string key_of_prefix(const std::string& prefix) {
  const auto begin = prefix.find(" for "), end = prefix.rfind(" mentioned in ");
  if (begin == std::string::npos || end == std::string::npos || begin + 5 > end) return "";
  return prefix.substr(begin + 5, end - begin - 5);
}

bool is_our_log(const json& row) {
  const auto doc = row.find("doc");
  return doc != row.end() && doc->is_object() && doc->contains("depth");
}

/// A line of a log of ours, made again by the run that wrote it.
Sample made_again(const Line& line, const json& row) {
  const json& doc = row["doc"];
  LoggedSample made;
  try {
    made = line.source->maker(require_task(line), field<std::int64_t>(line, doc, "max_length"),
                              field<std::int64_t>(line, doc, "index"));
  } catch (const UsageError& error) {
    refuse(line, error.what());
  }
  if (made.prompt_sha256 != field<std::string>(line, row, "prompt_hash"))
    refuse(line,
           "the sample that its run makes now is not the one that was asked (its prompt has "
           "another hash); was the haystack, the tokenizer or the program changed since?");
  made.sample.max_length = field<std::int64_t>(line, doc, "max_length");
  return made.sample;
}

Sample from_lm_eval(const Line& line, const json& doc) {
  const bool is_ours = doc.contains("depth");  // whose logs say more than lm-eval's
  if (is_ours && !doc.contains("input"))
    refuse(line,
           "this is a log of niah's own, without its prompts and without the folder of its run, in "
           "whose lm_eval/ it was written; read it there, or write it with `niah report RUN "
           "--prompts`");
  Sample sample;
  sample.protocol =
      doc.contains("protocol") ? field<std::string>(line, doc, "protocol") : "lm-eval";
  sample.task = require_task(line);
  sample.index = field<std::int64_t>(line, doc, "index");
  sample.input = field<std::string>(line, doc, "input");
  sample.outputs = field<std::vector<std::string>>(line, doc, "outputs");
  sample.gen_prefix = field<std::string>(line, doc, "gen_prefix");
  sample.length = field<std::int64_t>(line, doc, "length");
  sample.max_length = field<std::int64_t>(line, doc, "max_length");
  sample.key = key_of_prefix(sample.gen_prefix);
  locate(line, sample);
  if (is_ours) sample.depth = percent_field(line, doc, "depth");
  return sample;
}

Sample from_ruler(const Line& line, const json& row) {
  Sample sample;
  sample.protocol = "ruler";
  sample.task = require_task(line);
  const SampleFile& file = line.source->file;
  const auto length = file.length ? file.length : length_of_path(file.path);
  if (!length)
    refuse(line,
           "RULER's data does not say its nominal length, and no folder of the path is named by "
           "it; give `length: 4K` (or another) next to the path");
  sample.max_length = *length;
  // RULER's own index is a place in the text, not an ordinal.
  sample.index = line.number - 1;
  sample.input = field<std::string>(line, row, "input");
  sample.outputs = field<std::vector<std::string>>(line, row, "outputs");
  sample.length = field<std::int64_t>(line, row, "length");
  const auto prefix = field<std::string>(line, row, "answer_prefix");
  if (!prefix.starts_with(' '))
    refuse(line, "field 'answer_prefix' does not start with a space, as RULER's does");
  sample.gen_prefix = prefix.substr(1);
  sample.key = key_of_prefix(sample.gen_prefix);
  locate(line, sample);
  return sample;
}

Sample from_ours(const Line& line, const json& row) {
  Sample sample;
  try {
    sample = row.get<Sample>();
  } catch (const DataError& error) {
    refuse(line, error.what());
  }
  if (sha256_hex(sample.prompt()) != sample.prompt_sha256)
    refuse(line, "the prompt is not the one that prompt_sha256 was made of; was it edited?");
  const Span needle = sample.needle;
  const auto end = static_cast<std::int64_t>(count_code_points(sample.input));
  if (needle.begin < 0 || needle.end < needle.begin || needle.end > end)
    refuse(line, fmt::format("field 'needle' is [{}, {}], which is no part of the {} characters of "
                             "field 'input'",
                             needle.begin, needle.end, end));
  const auto is_percent = [](double depth) { return depth >= 0 && depth <= 100; };
  if (!is_percent(sample.depth) || !is_percent(sample.real_depth))
    refuse(line, "a depth is not a percentage from 0 to 100");
  return sample;
}

Sample parse_sample(const Line& line) {
  json row;
  try {
    row = parse_strict_json(line.text);
  } catch (const JsonError& error) {
    refuse(line,
           fmt::format("this is not a line of JSON (is the file cut off?): {}", error.what()));
  }
  if (!row.is_object())
    refuse(line, fmt::format("expected a JSON object, found a {}", row.type_name()));
  Sample sample;
  if (row.contains("prompt_sha256"))
    sample = from_ours(line, row);
  else if (line.source->maker && is_our_log(row))
    sample = made_again(line, row);
  else if (row.contains("doc") && row["doc"].is_object())
    sample = from_lm_eval(line, row["doc"]);
  else if (row.contains("answer_prefix"))
    sample = from_ruler(line, row);
  else if (row.contains("gen_prefix"))
    sample = from_lm_eval(line, row);
  else
    refuse(
        line,
        "this is no sample: expected a line of `niah generate` (with prompt_sha256), of lm-eval's "
        "--log_samples (with doc), or of RULER's prepare.py (with answer_prefix)");
  if (sample.index < 0) refuse(line, "field 'index' is negative");
  if (sample.max_length < 1) refuse(line, "the nominal length is not positive");
  if (sample.length < 0) refuse(line, "field 'length' is negative");
  if (sample.answer_tokens < 1 || sample.answer_tokens > kGenerationTokens)
    refuse(line, fmt::format("field 'answer_tokens' is {}, expected 1 to {}", sample.answer_tokens,
                             kGenerationTokens));
  const auto is_blank = [](const std::string& answer) { return strip(answer).empty(); };
  if (std::any_of(sample.outputs.begin(), sample.outputs.end(), is_blank))
    refuse(line, "an expected answer is empty; every output would be right");
  try {
    find_task(sample.protocol, sample.task);
  } catch (const UsageError& error) {
    refuse(line, error.what());
  }
  return sample;
}

/// A sample's line and the index it carries.
struct Entry {
  Line line;
  std::int64_t index = 0;
};

/// A cell whose samples are lines of files.
class FileCell final : public Cell {
 public:
  FileCell(CellRequest request, std::vector<Entry> entries)
      : request_(std::move(request)), entries_(std::move(entries)) {}

  const CellRequest& request() const override { return request_; }
  std::int64_t index(std::int64_t ordinal) const override { return at(ordinal).index; }
  double alike_until(std::int64_t ordinal) const override {
    const Sample found = sample(ordinal);
    return found.needle.begin == found.needle.end ? 1 : found.real_depth / 100;
  }
  Sample sample(std::int64_t ordinal) const override { return parse_sample(at(ordinal).line); }

 private:
  const Entry& at(std::int64_t ordinal) const {
    check_index(request_, ordinal);
    return entries_[static_cast<std::size_t>(ordinal)];
  }

  CellRequest request_;
  std::vector<Entry> entries_;
};

/// Collects lines by cell.
class Collector {
 public:
  void add(const Line& line) {
    const Sample sample = parse_sample(line);
    if (protocol_.empty()) protocol_ = sample.protocol;
    if (protocol_ != sample.protocol)
      refuse(line, fmt::format("this is a sample of protocol {}, and those before are of {}; one "
                               "run compares samples of one protocol",
                               sample.protocol, protocol_));
    if (!seen_.insert({sample.max_length, sample.task, sample.index}).second)
      refuse(line, fmt::format("a second sample {} of task {} at length {}", sample.index,
                               sample.task, sample.max_length));
    cells_[{sample.max_length, order(sample.task)}].push_back({line, sample.index});
  }

  std::vector<std::unique_ptr<Cell>> finish(std::int64_t limit) && {
    std::vector<std::unique_ptr<Cell>> cells;
    for (auto& [key, entries] : cells_) {
      if (limit > 0 && static_cast<std::int64_t>(entries.size()) > limit)
        entries.resize(static_cast<std::size_t>(limit));
      const auto count = static_cast<std::int64_t>(entries.size());
      cells.push_back(std::make_unique<FileCell>(
          CellRequest{all_tasks()[key.second].name, key.first, count}, std::move(entries)));
    }
    return cells;
  }

 private:
  static std::size_t order(const std::string& name) {
    const auto& tasks = all_tasks();
    const auto found = std::find_if(tasks.begin(), tasks.end(),
                                    [&](const Task& task) { return task.name == name; });
    return static_cast<std::size_t>(found - tasks.begin());
  }

  std::string protocol_;
  std::map<std::pair<std::int64_t, std::size_t>, std::vector<Entry>> cells_;
  std::set<std::tuple<std::int64_t, std::string, std::int64_t>> seen_;
};

/// Whether the first line is of a log of ours. What is no JSON is refused when it is read.
bool holds_our_log(const Source& source) {
  const std::string_view all = source.content.view();
  const json row = json::parse(all.substr(0, all.find('\n')), nullptr, /*allow_exceptions=*/false);
  return row.is_object() && is_our_log(row);
}

}  // namespace

std::vector<std::unique_ptr<Cell>> read_sample_files(const std::vector<SampleFile>& files,
                                                     std::int64_t limit,
                                                     const LogOpener& open_log) {
  Collector collector;
  for (const SampleFile& file : files) {
    const auto source = std::make_shared<Source>(file);
    if (open_log && holds_our_log(*source)) source->maker = open_log(file.path);
    Line line{source, {}, 0};
    std::string_view rest = source->content.view();
    std::int64_t found = 0;
    while (!rest.empty()) {
      stop_if_interrupted();
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      line.text = rest.substr(0, end);
      ++line.number;
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      collector.add(line);
      ++found;
    }
    if (found == 0)
      throw DataError(
          fmt::format("reading samples from {}: there are none in it", file.path.string()));
  }
  return std::move(collector).finish(limit);
}

}  // namespace niah::tasks
