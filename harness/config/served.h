// Where a served model is, and how it is asked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace niah {

/// A model behind an OpenAI-compatible endpoint. No key is kept in it: `key_env` names the
/// environment variable that has one, read when the run begins and written nowhere.
struct ServedConfig {
  /// As the server's documentation gives it, "http://localhost:8000/v1": without a query, a user or
  /// a slash at its end.
  std::string url;
  std::string model;                ///< what the server calls it
  std::string api = "completions";  ///< completions (token ids, or text), chat (its own template)
  std::string prompts = "auto";     ///< completions: ids, text; auto: ids, and text where refused
  std::string key_env{};            ///< empty: no key is sent
  std::int64_t concurrency = 8;     ///< requests in flight, at most
  double timeout = 600;             ///< seconds that one request may take
  std::int64_t retries = 6;         ///< after what may pass: 429, 5xx, a dropped connection
  /// Where log-probabilities of the expected answer come from, in a request of their own: none,
  /// echo, prompt_logprobs.
  std::string log_probs = "none";
  std::string order = "prefix";  ///< prefix (what begins alike one after another), shuffled
  /// Share of the prompts that are asked a second time at once, when the server has them in its
  /// cache; another answer is the server's own inconsistency. 0: none.
  double cache_probe = 0;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< more of them, sent as they are
  /// More fields of the body of every request, as a JSON object: what OpenAI's interface lacks and
  /// the server has. Empty: none.
  std::string extra_body{};

  bool operator==(const ServedConfig&) const = default;
};

}  // namespace niah
