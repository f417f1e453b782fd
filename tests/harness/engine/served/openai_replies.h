// What vLLM, llama.cpp and OpenAI say over an OpenAI-compatible API, for the tests' server.
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

/// An event of a stream: "data: ...\n\n".
std::string event(std::string_view data);
std::string json_event(const nlohmann::json& data);
/// The event with which OpenAI's streams end.
std::string done();

/// {"prompt_tokens", "completion_tokens", "total_tokens"}.
nlohmann::json usage(std::int64_t prompt_tokens, std::int64_t completion_tokens);

/// The text in pieces of so many code points, as a stream has a token at a time.
std::vector<std::string> as_tokens(std::string_view text, std::size_t code_points = 3);

/// What all replies to one request have in common.
struct Said {
  std::string text;                ///< generated
  std::int64_t prompt_tokens = 0;  ///< as usage has it
  std::string finish_reason = "stop";
  std::string model = "m";
  bool has_usage = true;
  std::chrono::milliseconds pause{0};  ///< before each event
};

/// @name POST /v1/completions
/// @{
/// Events, as vLLM sends them: a token each, one with the reason to end, usage, [DONE].
std::vector<std::string> completion_events(const Said& said);
Reply completion_stream(const Said& said);
Reply completion_json(const Said& said);
/// @}

/// @name POST /v1/chat/completions
/// @{
/// A first event with the role, a token each, one with the reason to end, usage, [DONE].
std::vector<std::string> chat_events(const Said& said);
Reply chat_stream(const Said& said);
Reply chat_json(const Said& said);
/// @}

/// A prompt's token, as log-probabilities tell it.
struct LoggedToken {
  std::int64_t id = 0;
  std::string text;
  double log_prob = 0;
  std::int64_t rank = 1;
};
/// choices[0].prompt_logprobs of vLLM: null for the first token, then {"ID": {"logprob", "rank",
/// "decoded_token"}} each; where the rank is not 1, the likeliest token stands beside it.
nlohmann::json prompt_logprobs(const std::vector<LoggedToken>& prompt);
/// choices[0].logprobs of an echoed prompt: tokens, token_logprobs, top_logprobs, text_offset.
nlohmann::json echo_logprobs(const std::vector<LoggedToken>& prompt);

/// @name Errors
/// @{
/// OpenAI and newer vLLM: {"error": {"message", "type", "param", "code"}}.
nlohmann::json openai_error(const std::string& message, const std::string& type, int code);
/// Older vLLM: {"object": "error", "message", "type", "param", "code"}.
nlohmann::json old_vllm_error(const std::string& message, int code);
/// llama.cpp, of a prompt that is too long: {"error": {..., "n_prompt_tokens", "n_ctx"}}.
nlohmann::json llama_cpp_too_long(std::int64_t prompt_tokens, std::int64_t longest);
/// 429 with Retry-After, which may be anything.
Reply too_many(const std::string& retry_after);
/// @}

/// @name What a server says of itself
/// @{
nlohmann::json vllm_models(const std::string& model, std::int64_t longest);
nlohmann::json llama_cpp_models(const std::string& model);
nlohmann::json llama_cpp_props(std::int64_t longest, const std::string& build);
/// @}

/// A server that does all right, for a test to spoil: GET /v1/models, /version, /health; POST
/// /v1/completions and /v1/chat/completions, streamed where that is asked for. The rest is 404.
struct GoodServer {
  std::string model = "m";
  std::int64_t longest = 4096;
  std::string version = "0.10.1";
  /// What is generated; cut to max_tokens of three code points each (see as_tokens).
  std::function<std::string(const SeenRequest&)> text = [](const SeenRequest&) {
    return " The answer is 1234567.";
  };
  /// Empty: ids are counted; bytes, where the prompt is text, and of all messages of a chat.
  std::function<std::int64_t(const SeenRequest&)> prompt_tokens{};
  std::chrono::milliseconds pause{0};  ///< before each event

  Reply operator()(const SeenRequest& request) const;
};

}  // namespace niah::served
