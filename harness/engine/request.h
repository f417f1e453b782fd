// What an engine is asked: prompts, with what is expected of their answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace niah {

using TokenIds = std::vector<std::int64_t>;
/// A whole prompt's ids, in four bytes each: a cell may hold hundreds of prompts of 256K tokens.
using PromptIds = std::vector<std::int32_t>;

/// One prompt. Its functions may be called from several threads.
struct Request {
  PromptIds ids;                        ///< the prompt as a model reads it, at least one token
  std::function<std::string()> text{};  ///< the text of the ids, made anew on each call
  /// For an engine that frames prompts itself, as a server's chat template does: the question
  /// without a frame, made anew on each call. Empty when only the ids are known.
  std::function<std::string()> question{};
  std::string system{};         ///< ... the system turn before it; empty: none
  std::string answer_prefix{};  ///< ... and the start of the answer; empty: none
  /// The expected continuation, which is scored and used as a draft. Empty when none is expected,
  /// or when the tokenizer would merge its start with the end of the prompt.
  TokenIds expected_ids{};
  std::string expected_text{};
  std::int64_t max_new_tokens = 0;       ///< of the answer
  std::int64_t max_thinking_tokens = 0;  ///< of the thought before it
  TokenIds stop_ids{};                   ///< tokens that end an answer, besides the model's own
  /// Of the text generated so far: whether no later token can change the outcome. Empty: never.
  std::function<bool(std::string_view)> is_decided{};
  /// ... and whether it is still in a thought. Empty where thoughts have no room of their own.
  std::function<bool(std::string_view)> is_thinking{};
  /// The variants to ask: indices into the list's group, ascending.
  std::vector<std::size_t> variants{};

  /// Tokens that may be generated in all.
  std::int64_t room() const { return max_thinking_tokens + max_new_tokens; }
  /// Tokens of the prompt and of all that may be read after it.
  std::int64_t longest() const {
    return static_cast<std::int64_t>(ids.size() + expected_ids.size()) + room();
  }
};

/// Requests passed together to one group of an engine's variants, so that the engine may read their
/// common prefixes only once.
struct RequestList {
  std::size_t group = 0;
  std::vector<Request> requests{};
  /// No other list is asked at the same time: for requests that ran out of memory when others were.
  bool is_alone = false;
  /// Once a stop is requested, the engine begins no further request, and returns.
  std::stop_token stop{};
};

}  // namespace niah
