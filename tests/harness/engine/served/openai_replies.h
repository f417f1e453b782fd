// Replies of vLLM, llama.cpp and OpenAI over an OpenAI-compatible API, for the test server.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/harness/engine/served/misbehaving_server.h"

namespace niah::served {

/// A server-sent event: "data: ...\n\n".
std::string event(std::string_view data);
std::string json_event(const nlohmann::json& data);
/// The event with which OpenAI's streams end.
std::string done();

/// {"prompt_tokens", "completion_tokens", "total_tokens"}.
nlohmann::json usage(std::int64_t prompt_tokens, std::int64_t completion_tokens);

/// The text in pieces of `code_points` code points, which stand for the tokens of a stream.
std::vector<std::string> as_tokens(std::string_view text, std::size_t code_points = 3);

/// The content of a reply, in whatever format it is sent.
struct Said {
  std::string text;                ///< generated text
  std::int64_t prompt_tokens = 0;  ///< as in usage
  std::string finish_reason = "stop";
  std::string model = "m";
  bool has_usage = true;
  std::chrono::milliseconds pause{0};  ///< before each event
};

/// @name POST /v1/completions
/// @{
/// Events as vLLM sends them: one per token, one with the finish reason, usage, [DONE].
std::vector<std::string> completion_events(const Said& said);
Reply completion_stream(const Said& said);
Reply completion_json(const Said& said);
/// @}

/// @name POST /v1/chat/completions
/// @{
/// A first event with the role, then one per token, one with the finish reason, usage, [DONE].
std::vector<std::string> chat_events(const Said& said);
Reply chat_stream(const Said& said);
Reply chat_json(const Said& said);
/// @}

/// A prompt token with its log-probability and rank.
struct LoggedToken {
  std::int64_t id = 0;
  std::string text;
  double log_prob = 0;
  std::int64_t rank = 1;
};
/// choices[0].prompt_logprobs of vLLM: null for the first token, then {"ID": {"logprob", "rank",
/// "decoded_token"}} for each; if the rank is not 1, the likeliest token is included, too.
nlohmann::json prompt_logprobs(const std::vector<LoggedToken>& prompt);
/// choices[0].logprobs of an echoed prompt: tokens, token_logprobs, top_logprobs, text_offset.
nlohmann::json echo_logprobs(const std::vector<LoggedToken>& prompt);

/// @name Errors
/// @{
/// OpenAI and newer vLLM: {"error": {"message", "type", "param", "code"}}.
nlohmann::json openai_error(const std::string& message, const std::string& type, int code);
/// Older vLLM: {"object": "error", "message", "type", "param", "code"}.
nlohmann::json old_vllm_error(const std::string& message, int code);
/// llama.cpp, for a prompt that is too long: {"error": {..., "n_prompt_tokens", "n_ctx"}}.
nlohmann::json llama_cpp_too_long(std::int64_t prompt_tokens, std::int64_t longest);
/// 429 with a Retry-After header of any content.
Reply too_many(const std::string& retry_after);
/// @}

/// @name What a server reports about itself
/// @{
nlohmann::json vllm_models(const std::string& model, std::int64_t longest);
nlohmann::json llama_cpp_models(const std::string& model);
nlohmann::json llama_cpp_props(std::int64_t longest, const std::string& build);
/// @}

/// A well-behaved server, for tests to modify: GET /v1/models, /version, /health; POST
/// /v1/completions and /v1/chat/completions, streamed if requested. Anything else is 404.
struct GoodServer {
  std::string model = "m";
  std::int64_t longest = 4096;
  std::string version = "0.10.1";
  /// The generated text, cut to max_tokens tokens of three code points each (see as_tokens).
  std::function<std::string(const SeenRequest&)> text = [](const SeenRequest&) {
    return " The answer is 1234567.";
  };
  /// The reported number of prompt tokens. If empty, ids are counted, or the bytes of a text prompt
  /// or of all messages of a chat.
  std::function<std::int64_t(const SeenRequest&)> prompt_tokens{};
  std::chrono::milliseconds pause{0};  ///< before each event

  Reply operator()(const SeenRequest& request) const;
};

}  // namespace niah::served
