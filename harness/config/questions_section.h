// The part of a sweep that says what is asked: tasks, lengths, depths and counts, or sample files.
#pragma once

#include <filesystem>

#include "harness/config/sweep.h"
#include "harness/config/yaml.h"

namespace niah {

/// Reads what is asked into `sweep`. Every error is an attempt() of `root`.
void read_questions(YamlMap& root, const std::filesystem::path& base, SweepConfig& sweep);

}  // namespace niah
