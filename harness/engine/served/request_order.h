// In which order a list is asked, and what of it twice.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness/engine/request.h"

namespace niah::served {

/// The places of a list's requests in the order in which they are asked. "prefix": those that begin
/// alike one after another, so that a server finds much of each in its cache; "shuffled": by their
/// content, so that it finds little, and the same in every run.
std::vector<std::size_t> order_of(const std::vector<Request>& requests, const std::string& order);

/// Whether a prompt is among the share of prompts that are asked twice: by its content, so that it
/// is in every run or in none.
bool is_asked_twice(const PromptIds& ids, double share);

}  // namespace niah::served
