// The order in which a list is asked, and which of its requests are asked twice.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness/engine/request.h"

namespace niah::served {

/// Indices of a list's requests in the order in which they are asked. "prefix": prompts with common
/// prefixes one after another, so that a server finds much of each in its cache; "shuffled": by a
/// hash of their content, so that it finds little, and in the same order in every run.
std::vector<std::size_t> order_of(const std::vector<Request>& requests, const std::string& order);

/// Whether a prompt belongs to the share of prompts that are asked twice. A hash of its content
/// decides, so that it is the same in every run.
bool is_asked_twice(const PromptIds& ids, double share);

}  // namespace niah::served
