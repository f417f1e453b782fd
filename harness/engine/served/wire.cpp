#include "harness/engine/served/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "harness/base/json_integer.h"
#include "harness/base/numbers.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"
#include "harness/base/utf8.h"

namespace niah::served {
namespace {

using nlohmann::json;

constexpr std::size_t kMostWords = 300, kMostModelName = 200;

std::string dump(const json& body) {
  return body.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

json turn(const char* role, const std::string& text) { return {{"role", role}, {"content", text}}; }

void put_chat(json& body, const Chat& chat) {
  json messages = json::array();
  if (!chat.system.empty()) messages.push_back(turn("system", chat.system));
  messages.push_back(turn("user", chat.question));
  if (!chat.answer.empty()) {
    messages.push_back(turn("assistant", chat.answer));
    // Otherwise the template ends the turn and begins another one, and the start of the answer is
    // lost.
    body["add_generation_prompt"] = false;
    body["continue_final_message"] = true;
  }
  body["messages"] = std::move(messages);
}

json body_of(const Addressee& to, const WirePrompt& prompt) {
  json body = to.extra_body.empty() ? json::object() : json::parse(to.extra_body);
  body["model"] = to.model;
  body["temperature"] = 0;
  if (const auto* chat = std::get_if<Chat>(&prompt))
    put_chat(body, *chat);
  else if (const auto* text = std::get_if<std::string>(&prompt))
    body["prompt"] = *text;
  else
    body["prompt"] = std::get<PromptIds>(prompt);
  return body;
}

WirePrompt with_answer(WirePrompt prompt, const Expected& expected) {
  if (auto* chat = std::get_if<Chat>(&prompt))
    chat->answer += expected.text;
  else if (auto* text = std::get_if<std::string>(&prompt))
    *text += expected.text;
  else
    for (const std::int64_t id : expected.ids)
      std::get<PromptIds>(prompt).push_back(static_cast<std::int32_t>(id));
  return prompt;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string words_of(std::string_view text) { return cut_short(single_line(text), kMostWords); }

/// A member, or null where there is none.
const json& member(const json& object, const char* name) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

/// A member that is a text, or absent, or null.
std::string text_member(const json& object, const char* name) {
  const json& value = member(object, name);
  if (value.is_null()) return {};
  if (!value.is_string())
    throw BadAnswer(fmt::format("its field {} is no text: {}", name, json_line(value)));
  return value.get<std::string>();
}

/// A name in an answer; empty where it is missing or not a string.
std::string name_member(const json& object, const char* name) {
  const json& value = member(object, name);
  return value.is_string() ? cut_short(single_line(value.get<std::string>()), kMostModelName) : "";
}

/// A token count of a server; nullopt if it is missing or impossible. Servers that do not count say
/// 0, but no prompt is empty.
std::optional<std::int64_t> count_member(const json& usage, const char* name, std::int64_t least) {
  const json& value = member(usage, name);
  if (!is_integer_of<std::int64_t>(value)) return std::nullopt;
  const auto count = value.get<std::int64_t>();
  return count < least || count > kLongestLength ? std::nullopt : std::optional(count);
}

std::optional<long> status_member(const json& error) {
  for (const char* name : {"code", "status", "status_code"}) {
    const json& value = member(error, name);
    if (!is_integer_of<std::int16_t>(value)) continue;
    const long status = value.get<long>();
    if (status >= 400 && status < 600) return status;
  }
  return std::nullopt;
}

/// {"error": {"message": ..., "code": ...}}, {"error": "..."}, {"object": "error", "message": ...},
/// {"detail": ...}.
std::optional<ServerError> error_of(const json& answer) {
  const bool is_error = member(answer, "object") == "error";
  const json& error = is_error ? answer : member(answer, "error");
  const bool is_answer = answer.is_object() && answer.contains("choices");
  const json& said = error.is_null() && !is_answer ? member(answer, "detail") : error;
  if (said.is_null()) return std::nullopt;
  const json& message = said.is_string() ? said : member(said, "message");
  std::string words = message.is_string() ? message.get<std::string>() : std::string();
  if (is_blank(words)) words = dump(said);
  return ServerError{words_of(words), status_member(said)};
}

std::string hidden(std::string_view text, const Hide& hide) {
  return hide ? hide(std::string(text)) : std::string(text);
}

json parse(std::string_view text, const Hide& hide) {
  try {
    json value = find_invalid_utf8(text) == std::string_view::npos
                     ? parse_strict_json(text)
                     : parse_strict_json(replace_invalid_utf8(text));
    hide_in(value, hide);
    return value;
  } catch (const JsonError& error) {
    constexpr std::size_t kShown = 80, kLookedAt = 4096;
    throw BadAnswer(
        fmt::format("it is no whole JSON ({}): {}", hidden(error.what(), hide),
                    cut_short(single_line(hidden(text.substr(0, kLookedAt), hide)), kShown)));
  }
}

/// The choice of index 0; null where there is none.
const json& first_choice(const json& answer) {
  static const json kNone;
  const json& choices = member(answer, "choices");
  if (choices.is_null()) return kNone;
  if (!choices.is_array())
    throw BadAnswer(fmt::format("its choices are no list: {}", json_line(choices)));
  for (const json& choice : choices) {
    if (!choice.is_object())
      throw BadAnswer(fmt::format("one of its choices is no object: {}", json_line(choice)));
    const json& index = member(choice, "index");
    if (index.is_null() || index == 0) return choice;
  }
  return kNone;
}

bool is_empty(const json& value) { return value.is_null() || value.empty(); }

void read_choice(AnswerPart& part, const json& choice) {
  part.has_choice = true;
  part.finish_reason = text_member(choice, "finish_reason");
  const json& delta = member(choice, "delta");
  const json& message = delta.is_null() ? member(choice, "message") : delta;
  if (message.is_null()) {
    part.text = text_member(choice, "text");
    return;
  }
  part.refusal = text_member(message, "refusal");
  const bool calls =
      !is_empty(member(message, "tool_calls")) || !is_empty(member(message, "function_call"));
  if (calls) part.refusal = "it calls a tool instead of answering";
  part.text = text_member(message, "content");
  part.thought = text_member(message, "reasoning_content");
  // Some servers tell a thought under both names.
  if (part.thought.empty()) part.thought = text_member(message, "reasoning");
}

/// How many tokens the server read, the expected ones included.
std::size_t tokens_read(const json& answer, const WirePrompt& prompt, const Expected& expected) {
  const auto told = count_member(member(answer, "usage"), "prompt_tokens", 1);
  const auto* ids = std::get_if<PromptIds>(&prompt);
  if (ids == nullptr && !told)
    throw BadAnswer("it does not say how many tokens it read, so no entry can be told from others");
  const std::size_t sent = ids == nullptr ? 0 : ids->size() + expected.ids.size();
  const auto read = static_cast<std::size_t>(told ? *told : static_cast<std::int64_t>(sent));
  if (ids != nullptr && read != sent)
    throw BadAnswer(fmt::format("it read {} tokens, {} were sent", read, sent));
  if (read < expected.ids.size())
    throw BadAnswer(fmt::format("it read {} tokens, fewer than the expected answer has", read));
  return read;
}

/// The last `expected` of the `read` entries for the prompt. One for the generated token may
/// follow.
std::vector<const json*> tail_of(const json& entries, std::size_t read, std::size_t expected,
                                 bool may_have_generated) {
  if (!entries.is_array()) throw BadAnswer("it tells no log-probabilities of the prompt");
  if (entries.size() != read && !(may_have_generated && entries.size() == read + 1))
    throw BadAnswer(
        fmt::format("it tells {} log-probabilities of {} tokens", entries.size(), read));
  std::vector<const json*> tail;
  for (std::size_t i = read - expected; i < read; ++i) tail.push_back(&entries[i]);
  return tail;
}

double log_prob_of(const json& value) {
  constexpr double kRounding = 1e-3;
  if (!value.is_number() || !(value.get<double>() <= kRounding))
    throw BadAnswer(
        fmt::format("a log-probability of the expected answer is {}", json_line(value)));
  return std::min(0.0, value.get<double>());
}

/// Throws BadAnswer unless the tokens, as the server spells them, are the expected answer. A space
/// at the beginning is ignored, because tokenizers spell it in different ways.
void require_text(const std::vector<const json*>& tokens, std::string text) {
  std::string spelled;
  for (const json* token : tokens) spelled += token->is_string() ? token->get<std::string>() : "";
  spelled = replace_all(spelled, "\u2581", " ");
  const auto trim = [](std::string& value) { value.erase(0, value.find_first_not_of(' ')); };
  trim(spelled);
  trim(text);
  if (spelled != text)
    throw BadAnswer(fmt::format("its last tokens are '{}', not '{}'", words_of(spelled), text));
}

ExpectedScore echoed_score(const json& choice, std::size_t read, const WirePrompt& prompt,
                           const Expected& expected) {
  const json& told = member(choice, "logprobs");
  const std::size_t count = expected.ids.size();
  // The server may have tokenized a text differently.
  if (!std::holds_alternative<PromptIds>(prompt))
    require_text(tail_of(member(told, "tokens"), read, count, true), expected.text);
  ExpectedScore score;
  for (const json* entry : tail_of(member(told, "token_logprobs"), read, count, true))
    score.log_prob += log_prob_of(*entry);
  return score;
}

ExpectedScore prompt_score(const json& entries, std::size_t read, const Expected& expected) {
  ExpectedScore score{.log_prob = 0, .rank = 1};
  const auto tail = tail_of(entries, read, expected.ids.size(), false);
  for (std::size_t i = 0; i < tail.size(); ++i) {
    const json& token = member(*tail[i], std::to_string(expected.ids[i]).c_str());
    if (token.is_null())
      throw BadAnswer(fmt::format("token {} of the expected answer, {}, has no log-probability", i,
                                  expected.ids[i]));
    score.log_prob += log_prob_of(member(token, "logprob"));
    const auto rank = count_member(token, "rank", 1);
    score.rank = rank && score.rank ? std::optional(std::max(*rank, *score.rank)) : std::nullopt;
  }
  return score;
}

}  // namespace

std::string generation_body(const Addressee& to, const WirePrompt& prompt,
                            const AnswerLimits& limits) {
  json body = body_of(to, prompt);
  body["max_tokens"] = limits.max_tokens;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  if (!limits.stops.empty()) body["stop"] = limits.stops;
  // Servers leave special tokens out of the text in which they look for stops.
  if (!limits.stop_ids.empty() && std::holds_alternative<PromptIds>(prompt))
    body["stop_token_ids"] = limits.stop_ids;
  return dump(body);
}

std::string scoring_body(const Addressee& to, const WirePrompt& prompt, const Expected& expected,
                         const std::string& how) {
  json body = body_of(to, with_answer(prompt, expected));
  // Not 0, which means no limit to some servers.
  body["max_tokens"] = 1;
  if (how == "echo") {
    body["echo"] = true;
    body["logprobs"] = 1;
  } else {
    body["prompt_logprobs"] = 1;
  }
  return dump(body);
}

void hide_in(json& value, const Hide& hide) {
  if (!hide) return;
  if (value.is_string()) {
    value = hide(value.get<std::string>());
    return;
  }
  if (value.is_array()) {
    for (json& item : value) hide_in(item, hide);
    return;
  }
  if (!value.is_object()) return;
  json out = json::object();
  for (auto& [name, item] : value.items()) {
    hide_in(item, hide);
    out[hide(name)] = std::move(item);
  }
  value = std::move(out);
}

AnswerPart parse_part(std::string_view text, const Hide& hide) {
  const json answer = parse(text, hide);
  if (!answer.is_object()) throw BadAnswer(fmt::format("it is no object: {}", json_line(answer)));
  AnswerPart part;
  part.error = error_of(answer);
  if (part.error) return part;
  const json& choice = first_choice(answer);
  if (!choice.is_null()) read_choice(part, choice);
  const json& usage = member(answer, "usage");
  part.prompt_tokens = count_member(usage, "prompt_tokens", 1);
  part.completion_tokens = count_member(usage, "completion_tokens", 0);
  part.model = name_member(answer, "model");
  part.system_fingerprint = name_member(answer, "system_fingerprint");
  return part;
}

ServerError parse_error(std::string_view body, const Hide& hide) {
  try {
    const json answer = parse(body, hide);
    if (auto error = error_of(answer)) return *std::move(error);
    const json& message = member(answer, "message");
    if (message.is_string() && !is_blank(message.get<std::string>()))
      return {words_of(message.get<std::string>()), status_member(answer)};
  } catch (const BadAnswer&) {  // not JSON: a page or a line for people
  }
  if (is_blank(body)) return {"(no words)", std::nullopt};
  // Hide before cutting: half of a credential would not be recognised.
  constexpr std::size_t kLookedAt = 64 * kMostWords;
  const std::string_view begin = body.substr(body.find_first_not_of(" \t\r\n"), kLookedAt);
  return {words_of(hidden(begin, hide)), std::nullopt};
}

ExpectedScore parse_score(std::string_view text, const WirePrompt& prompt, const Expected& expected,
                          const std::string& how, const Hide& hide) {
  if (expected.ids.empty()) throw BadAnswer("no answer is expected");
  const json answer = parse(text, hide);
  if (const auto error = error_of(answer)) throw BadAnswer(error->words);
  const std::size_t read = tokens_read(answer, prompt, expected);
  const json& choice = first_choice(answer);
  if (how == "echo") return echoed_score(choice, read, prompt, expected);
  const json& own = member(choice, "prompt_logprobs");
  return prompt_score(own.is_null() ? member(answer, "prompt_logprobs") : own, read, expected);
}

}  // namespace niah::served
