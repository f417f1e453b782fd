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
  std::function<std::string()> text{};  ///< what the ids were made of, made again when it is needed
  /// For an engine that frames prompts itself, as a server's chat template does: what is asked,
  /// without a frame, made again when it is needed. Empty where nothing is known but the ids.
  std::function<std::string()> question{};
  std::string system{};         ///< ... the system turn before it; empty: none
  std::string answer_prefix{};  ///< ... and how the answer begins; empty: it is not begun
  /// How the answer is expected to go on: scored, and of use as a draft. Empty where nothing is, or
  /// where the tokenizer would not cut it off from the prompt.
  TokenIds expected_ids{};
  std::string expected_text{};
  std::int64_t max_new_tokens = 0;       ///< of the answer
  std::int64_t max_thinking_tokens = 0;  ///< of the thought before it
  TokenIds stop_ids{};                   ///< tokens that end an answer, besides the model's own
  /// Of the text generated so far: whether no later token can change the outcome. Empty: never.
  std::function<bool(std::string_view)> is_decided{};
  /// ... and whether it is still in a thought. Empty where thoughts have no room of their own.
  std::function<bool(std::string_view)> is_thinking{};
  /// Who is asked: places in the group that the list is for, ascending.
  std::vector<std::size_t> variants{};

  /// Tokens that may be generated in all.
  std::int64_t room() const { return max_thinking_tokens + max_new_tokens; }
  /// Tokens of the prompt and of all that may be read after it.
  std::int64_t longest() const {
    return static_cast<std::int64_t>(ids.size() + expected_ids.size()) + room();
  }
};

/// Requests that are handed over as one, to one group of an engine's variants: an engine may read
/// what their prompts have in common only once.
struct RequestList {
  std::size_t group = 0;
  std::vector<Request> requests{};
  /// Nothing else is asked meanwhile, so that there is memory for what found none beside others.
  bool is_alone = false;
  /// When it is requested, the engine begins no further request, and returns.
  std::stop_token stop{};
};

}  // namespace niah
