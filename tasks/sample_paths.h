// What the paths of sample files say of their samples, by the habits of the programs that wrote
// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace niah::tasks {

/// "s2" of "samples_niah_single_2_2026-01-01.jsonl" or of a folder "niah_single_2"; empty when the
/// path names no task.
std::string task_of_path(const std::filesystem::path& path);

/// The last folder of the path that is a number: RULER keeps its data by length.
std::optional<std::int64_t> length_of_path(const std::filesystem::path& path);

}  // namespace niah::tasks
