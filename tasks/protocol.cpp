#include "tasks/protocol.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "tasks/needle/protocols.h"
#include "tasks/task.h"

namespace niah::tasks {
namespace {

struct Protocol {
  std::string_view name;
  Cells (*make_cells)(const ProtocolSpec&, const std::vector<CellRequest>&);
  bool has_controls;  ///< has tasks that the reference programs do not have
};

constexpr Protocol kProtocols[] = {{"niah", make_niah_cells, true},
                                   {"lm-eval", make_lm_eval_cells, false},
                                   {"ruler", make_ruler_cells, false}};

const Protocol& find_protocol(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& protocol : kProtocols) {
    if (protocol.name == name) return protocol;
    names.emplace_back(protocol.name);
  }
  throw UsageError(fmt::format("there is no protocol '{}'{} (protocols: {})", name,
                               did_you_mean(name, names), fmt::join(names, ", ")));
}

/// Far beyond any model's context. A larger number is a mistake, and would fill the memory.
constexpr std::int64_t kLongest = std::int64_t{64} << 20;

void check_requests(const ProtocolSpec& spec, const std::vector<CellRequest>& requests) {
  for (const auto& request : requests) {
    if (find_own_needle(spec, request.task) == nullptr) find_task(spec.protocol, request.task);
    if (request.length < 1 || request.length > kLongest) {
      throw UsageError(fmt::format("task {}: a length of {} tokens; expected 1 to {}", request.task,
                                   request.length, kLongest));
    }
    if (request.samples < 0) {
      throw UsageError(
          fmt::format("task {}: {} samples; expected 0 or more", request.task, request.samples));
    }
  }
}

}  // namespace

std::vector<std::unique_ptr<Cell>> make_cells(const ProtocolSpec& spec,
                                              const std::vector<CellRequest>& requests) {
  const Protocol& protocol = find_protocol(spec.protocol);
  check_requests(spec, requests);
  return protocol.make_cells(spec, requests);
}

const OwnNeedle* find_own_needle(const ProtocolSpec& spec, const std::string& name) {
  const auto found = std::find_if(spec.needles.begin(), spec.needles.end(),
                                  [&](const OwnNeedle& needle) { return needle.name == name; });
  return found == spec.needles.end() ? nullptr : &*found;
}

std::vector<std::string> task_names(const std::string& protocol) {
  const bool controls = find_protocol(protocol).has_controls;
  std::vector<std::string> names;
  for (const auto& task : all_tasks()) {
    if (controls || !task.absent) names.push_back(task.name);
  }
  return names;
}

void complete_sample(Sample& sample, std::string_view needle, ContextFrame frame) {
  const std::string_view input = sample.input;
  sample.prompt_sha256 = sha256_hex(sample.prompt());
  if (needle.empty()) return;
  const std::size_t at = input.find(needle);
  check(at != input.npos, "a sample holds its needle");
  const auto points = [](std::string_view text) {
    return static_cast<std::int64_t>(count_code_points(text));
  };
  sample.needle.begin = points(input.substr(0, at));
  sample.needle.end = sample.needle.begin + points(needle);
  const std::size_t after = at + needle.size();
  const auto before = points(input.substr(frame.head, at - frame.head));
  const auto behind = points(input.substr(after, input.size() - frame.tail - after));
  if (before + behind > 0) {
    sample.real_depth = 100.0 * static_cast<double>(before) / static_cast<double>(before + behind);
  }
}

void check_index(const CellRequest& request, std::int64_t index) {
  check(index >= 0 && index < request.samples, "a sample's index is outside its cell");
}

const Haystack& require_haystack(const ProtocolSpec& spec, std::string_view task) {
  if (spec.haystack) return *spec.haystack;
  throw UsageError(fmt::format("task {}: it needs a haystack, and none was given", task));
}

}  // namespace niah::tasks
