#include "tasks/sample_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "harness/base/numbers.h"
#include "harness/base/units.h"
#include "tasks/task.h"

namespace niah::tasks {
namespace {

/// "vt" of "samples_ruler_vt_2026-01-01.jsonl", as lm-eval calls it, or of a folder "vt", as RULER
/// does; empty when the path names no such task.
std::string synthetic_task_of_path(const std::filesystem::path& path) {
  const std::string text = path.string();
  for (const Task& task : all_tasks()) {
    if (task.family == TaskFamily::kNeedle) continue;
    if (text.find(fmt::format("ruler_{}_", task.name)) != text.npos) return task.name;
    const auto folder = path.parent_path();
    if (std::find(folder.begin(), folder.end(), task.name) != folder.end()) return task.name;
  }
  return "";
}

}  // namespace

std::string task_of_path(const std::filesystem::path& path) {
  const std::string text = path.string();
  const auto at = text.rfind("niah_");
  if (at == std::string::npos) return synthetic_task_of_path(path);
  const std::string_view name = std::string_view(text).substr(at + 5);
  if (name.starts_with("single_") && name.size() > 7) return fmt::format("s{}", name[7]);
  for (const Task& task : all_tasks())
    if (name.starts_with(task.name)) return task.name;
  return synthetic_task_of_path(path);
}

std::optional<std::int64_t> length_of_path(const std::filesystem::path& path) {
  std::optional<std::int64_t> length;
  for (const auto& part : path.parent_path()) {
    const std::string name = part.string();
    if (const auto number = parse_integer(name, {1, kLongestLength})) length = *number;
  }
  return length;
}

}  // namespace niah::tasks
