#include "tests/harness/engine/served/openai_replies.h"

#include <algorithm>

#include "harness/base/text.h"
#include "harness/base/utf8.h"

namespace niah::served {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kCreated = 1767225600;

std::int64_t count_tokens(const std::string& text) {
  return static_cast<std::int64_t>(as_tokens(text).size());
}

Json envelope(const Said& said, const char* id, const char* object, Json choices) {
  return {{"id", id},
          {"object", object},
          {"created", kCreated},
          {"model", said.model},
          {"choices", std::move(choices)}};
}

Json completion_choice(const std::string& text, const Json& finish_reason) {
  return {{"index", 0},
          {"text", text},
          {"logprobs", nullptr},
          {"finish_reason", finish_reason},
          {"stop_reason", nullptr}};
}

Json chat_choice(const Json& delta, const Json& finish_reason) {
  return {{"index", 0}, {"delta", delta}, {"logprobs", nullptr}, {"finish_reason", finish_reason}};
}

/// Wraps choices as events, with usage and [DONE] after them.
std::vector<std::string> as_events(const Said& said, const char* id, const char* object,
                                   const std::vector<Json>& choices) {
  std::vector<std::string> events;
  for (const Json& choice : choices)
    events.push_back(json_event(envelope(said, id, object, Json::array({choice}))));
  if (said.has_usage) {
    Json last = envelope(said, id, object, Json::array());
    last["usage"] = usage(said.prompt_tokens, count_tokens(said.text));
    events.push_back(json_event(last));
  }
  events.push_back(done());
  return events;
}

Reply whole(const Said& said, const char* id, const char* object, const Json& choice) {
  Json body = envelope(said, id, object, Json::array({choice}));
  if (said.has_usage) body["usage"] = usage(said.prompt_tokens, count_tokens(said.text));
  return json_reply(body);
}

std::int64_t size_of(const Json& text_or_list) {
  return static_cast<std::int64_t>(text_or_list.is_string()
                                       ? text_or_list.get_ref<const std::string&>().size()
                                       : text_or_list.size());
}

/// The number of tokens of a prompt: its ids, or the bytes of its text.
std::int64_t count_prompt(const Json& body) {
  if (!body.contains("messages")) return size_of(body.value("prompt", Json("")));
  std::int64_t count = 0;
  for (const Json& message : body["messages"]) count += size_of(message.value("content", Json("")));
  return count;
}

bool wants_usage(const Json& body) {
  if (!body.value("stream", false)) return true;
  const Json options = body.value("stream_options", Json::object());
  return options.value("include_usage", false);
}

}  // namespace

std::string event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }
std::string json_event(const Json& data) { return event(data.dump()); }
std::string done() { return event("[DONE]"); }

Json usage(std::int64_t prompt_tokens, std::int64_t completion_tokens) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens}};
}

std::vector<std::string> as_tokens(std::string_view text, std::size_t code_points) {
  std::vector<std::string> tokens;
  std::size_t in_token = code_points;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_sequence_at(text, at).size;
    if (in_token == code_points) {
      tokens.emplace_back();
      in_token = 0;
    }
    tokens.back() += text.substr(at, size);
    ++in_token;
    at += size;
  }
  return tokens;
}

std::vector<std::string> completion_events(const Said& said) {
  std::vector<Json> choices;
  for (const std::string& token : as_tokens(said.text))
    choices.push_back(completion_choice(token, nullptr));
  choices.push_back(completion_choice("", said.finish_reason));
  return as_events(said, "cmpl-1", "text_completion", choices);
}

Reply completion_stream(const Said& said) {
  return event_reply(completion_events(said), said.pause);
}

Reply completion_json(const Said& said) {
  return whole(said, "cmpl-1", "text_completion", completion_choice(said.text, said.finish_reason));
}

std::vector<std::string> chat_events(const Said& said) {
  std::vector<Json> choices = {chat_choice({{"role", "assistant"}, {"content", ""}}, nullptr)};
  for (const std::string& token : as_tokens(said.text))
    choices.push_back(chat_choice({{"content", token}}, nullptr));
  choices.push_back(chat_choice(Json::object(), said.finish_reason));
  return as_events(said, "chatcmpl-1", "chat.completion.chunk", choices);
}

Reply chat_stream(const Said& said) { return event_reply(chat_events(said), said.pause); }

Reply chat_json(const Said& said) {
  return whole(said, "chatcmpl-1", "chat.completion",
               {{"index", 0},
                {"message", {{"role", "assistant"}, {"content", said.text}}},
                {"logprobs", nullptr},
                {"finish_reason", said.finish_reason}});
}

Json prompt_logprobs(const std::vector<LoggedToken>& prompt) {
  Json all = Json::array();
  for (const LoggedToken& token : prompt) {
    if (all.empty()) {
      all.push_back(nullptr);
      continue;
    }
    Json place = {
        {std::to_string(token.id),
         {{"logprob", token.log_prob}, {"rank", token.rank}, {"decoded_token", token.text}}}};
    if (token.rank != 1)
      place[std::to_string(token.id + 1)] = {
          {"logprob", token.log_prob / 2}, {"rank", 1}, {"decoded_token", "likelier"}};
    all.push_back(place);
  }
  return all;
}

Json echo_logprobs(const std::vector<LoggedToken>& prompt) {
  Json out = {{"tokens", Json::array()},
              {"token_logprobs", Json::array()},
              {"top_logprobs", Json::array()},
              {"text_offset", Json::array()}};
  std::size_t offset = 0;
  for (const LoggedToken& token : prompt) {
    const bool is_first = out["tokens"].empty();
    Json top = {{token.text, token.log_prob}};
    if (token.rank != 1) top = {{"likelier", token.log_prob / 2}};
    out["tokens"].push_back(token.text);
    out["token_logprobs"].push_back(is_first ? Json(nullptr) : Json(token.log_prob));
    out["top_logprobs"].push_back(is_first ? Json(nullptr) : top);
    out["text_offset"].push_back(offset);
    offset += count_code_points(token.text);
  }
  return out;
}

Json openai_error(const std::string& message, const std::string& type, int code) {
  return {{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", code}}}};
}

Json old_vllm_error(const std::string& message, int code) {
  return {{"object", "error"},
          {"message", message},
          {"type", "BadRequestError"},
          {"param", nullptr},
          {"code", code}};
}

Json llama_cpp_too_long(std::int64_t prompt_tokens, std::int64_t longest) {
  return {{"error",
           {{"code", 400},
            {"message", "the request exceeds the available context size, try increasing it"},
            {"type", "exceed_context_size_error"},
            {"n_prompt_tokens", prompt_tokens},
            {"n_ctx", longest}}}};
}

Reply too_many(const std::string& retry_after) {
  return with_header("Retry-After", retry_after,
                     json_reply(openai_error("Rate limit reached", "rate_limit_error", 429), 429));
}

Json vllm_models(const std::string& model, std::int64_t longest) {
  return {{"object", "list"},
          {"data", Json::array({{{"id", model},
                                 {"object", "model"},
                                 {"created", kCreated},
                                 {"owned_by", "vllm"},
                                 {"root", model},
                                 {"parent", nullptr},
                                 {"max_model_len", longest}}})}};
}

Json llama_cpp_models(const std::string& model) {
  return {{"object", "list"},
          {"data", Json::array({{{"id", model},
                                 {"object", "model"},
                                 {"created", kCreated},
                                 {"owned_by", "llamacpp"},
                                 {"meta", {{"n_vocab", 512}, {"n_ctx_train", 4096}}}}})}};
}

Json llama_cpp_props(std::int64_t longest, const std::string& build) {
  return {{"default_generation_settings", {{"n_ctx", longest}}},
          {"total_slots", 4},
          {"model_path", "models/m.gguf"},
          {"build_info", build}};
}

Reply GoodServer::operator()(const SeenRequest& request) const {
  if (request.path == "/v1/models") return json_reply(vllm_models(model, longest));
  if (request.path == "/version") return json_reply({{"version", version}});
  if (request.path == "/health") return text_reply("");
  const bool is_chat = request.path == "/v1/chat/completions";
  if (!is_chat && request.path != "/v1/completions")
    return json_reply({{"detail", "Not Found"}}, 404);
  if (!request.json.is_object())
    return json_reply(openai_error("no JSON", "BadRequestError", 400), 400);
  const Json& body = request.json;
  std::vector<std::string> tokens = as_tokens(text(request));
  const Json room = body.value("max_tokens", body.value("max_completion_tokens", Json(nullptr)));
  const std::size_t most = room.is_number_unsigned() ? room.get<std::size_t>() : tokens.size();
  Said said{.text = "",
            .prompt_tokens = prompt_tokens ? prompt_tokens(request) : count_prompt(body),
            .finish_reason = most < tokens.size() ? "length" : "stop",
            .model = model,
            .has_usage = wants_usage(body),
            .pause = pause};
  tokens.resize(std::min(most, tokens.size()));
  for (const std::string& token : tokens) said.text += token;
  if (body.value("stream", false)) return is_chat ? chat_stream(said) : completion_stream(said);
  return is_chat ? chat_json(said) : completion_json(said);
}

}  // namespace niah::served
