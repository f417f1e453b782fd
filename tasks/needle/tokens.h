// Keys and values of the `niah` protocol, drawn from a sample's stream.
#pragma once

#include <string>
#include <vector>

#include "tasks/random/counter.h"
#include "tasks/task.h"

namespace niah::tasks {

/// Needles take keys from the even places of the key list and distractor lines from the odd ones,
/// so that no distractor has a key that is asked for.
enum class KeyShare { kNeedles = 0, kDistractors = 1 };

/// A key or a value.
std::string draw_token(CounterRng& random, ValueType kind, KeyShare share);

/// `count` different ones of needles.
std::vector<std::string> draw_tokens(CounterRng& random, ValueType kind, int count);

}  // namespace niah::tasks
