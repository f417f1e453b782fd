// The wire format of OpenAI-compatible servers: the bodies of requests, and the parsing of stream
// events and whole answers. Nothing that a server sends is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/engine/request.h"

namespace niah::served {

/// A conversation, which the server's own template frames.
struct Chat {
  std::string system;    ///< empty: no such turn
  std::string question;  ///< the user's turn
  std::string answer;    ///< the start of the assistant's turn; empty: none
};

/// A prompt in the form that it is sent in: ids, text, or the turns of a chat.
using WirePrompt = std::variant<PromptIds, std::string, Chat>;

/// An answer's limits.
struct AnswerLimits {
  std::int64_t max_tokens = 1;
  std::vector<std::string> stops{};  ///< texts that end it
  TokenIds stop_ids{};               ///< the same as ids; sent where the prompt is ids, too
};

/// What every request contains besides its prompt.
struct Addressee {
  std::string model;         ///< as the server calls it
  std::string extra_body{};  ///< more fields, a JSON object; empty: none
};

/// The body that asks for an answer, as a stream.
std::string generation_body(const Addressee& to, const WirePrompt& prompt,
                            const AnswerLimits& limits);

/// An expected answer after a prompt.
struct Expected {
  TokenIds ids;
  std::string text;
};

/// The body that asks how likely the expected answer is. `how`: "echo" or "prompt_logprobs".
std::string scoring_body(const Addressee& to, const WirePrompt& prompt, const Expected& expected,
                         const std::string& how);

/// What a server sent is not a valid answer; what() says why in one line.
class BadAnswer : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An error in a server's own words.
struct ServerError {
  std::string words;           ///< one line of at most 300 bytes and "...", valid UTF-8
  std::optional<long> status;  ///< the HTTP status in the error's body, if it has one
};

/// The content of one event, or of a whole answer.
struct AnswerPart {
  std::optional<ServerError> error;
  bool has_choice = false;  ///< it has a part of the answer, not only usage
  std::string thought;      ///< text of a thought that the server sends separately
  std::string text;
  std::string refusal;        ///< why the model did not answer, or what it did instead
  std::string finish_reason;  ///< empty: it goes on, or nothing is said
  std::optional<std::int64_t> prompt_tokens, completion_tokens;
  std::string model, system_fingerprint;  ///< at most 200 bytes of each
};

/// Removes credentials from a text. Applied to the strings of parsed JSON, not to its spelling,
/// because a server may escape any letter. Empty: nothing is removed.
using Hide = std::function<std::string(std::string)>;

/// Applies `hide` to every string of a JSON value, field names included.
void hide_in(nlohmann::json& value, const Hide& hide);

/// Reads an event's data or a whole answer, of completions or of chat. Of several choices the first
/// counts. Throws BadAnswer when it is not JSON or a field has the wrong type.
AnswerPart parse_part(std::string_view json, const Hide& hide = {});

/// The message of an error's body: {"error": ...} in its variants, {"detail": ...}, or any text.
ServerError parse_error(std::string_view body, const Hide& hide = {});

/// How an expected answer was scored.
struct ExpectedScore {
  double log_prob = 0;               ///< natural, summed over its tokens
  std::optional<std::int64_t> rank;  ///< the worst of its tokens' ranks, if the server gives them
};

/// Reads the answer to a scoring_body. Throws BadAnswer, with the reason, when it does not clearly
/// say how likely each token of `expected` is: an entry is missing, there are more or fewer entries
/// than tokens of the prompt, or they are for other tokens.
ExpectedScore parse_score(std::string_view json, const WirePrompt& prompt, const Expected& expected,
                          const std::string& how, const Hide& hide = {});

}  // namespace niah::served
