#include "tasks/token_counter.h"

#include <utility>

#include "harness/base/error.h"

namespace niah::tasks {
namespace {

TokenCount required(TokenCount count) {
  if (!count) throw UsageError("making samples: no tokenizer was given to size them with");
  return count;
}

}  // namespace

TokenCounter::TokenCounter(TokenCount count, bool counts_add)
    : count_(required(std::move(count))), counts_add_(counts_add), special_tokens_(count_("")) {}

}  // namespace niah::tasks
