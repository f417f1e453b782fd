// Where a served model is, and how it is asked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace niah {

/// A model behind an OpenAI-compatible endpoint. The key is not in it: `key_env` names the
/// environment variable that holds it, which is read when the run begins and never written.
struct ServedConfig {
  /// As the server's documentation gives it, "http://localhost:8000/v1": without query, user name
  /// or trailing slash.
  std::string url;
  std::string model;                ///< what the server calls it
  std::string api = "completions";  ///< completions (token ids, or text), chat (its own template)
  std::string prompts = "auto";  ///< completions: ids, text; auto: ids, or text if ids are refused
  std::string key_env{};         ///< empty: no key is sent
  std::int64_t concurrency = 8;  ///< requests in flight, at most
  double timeout = 600;          ///< seconds that one request may take
  std::int64_t retries = 6;      ///< after temporary failures: 429, 5xx, a dropped connection
  /// How to ask for log-probabilities of the expected answer, in a separate request: none, echo,
  /// prompt_logprobs.
  std::string log_probs = "none";
  std::string order = "prefix";  ///< prefix (common prefixes one after another), shuffled
  /// Share of the prompts that are asked again right away, while the server has them in its cache:
  /// a different answer means that the server is inconsistent. 0: none.
  double cache_probe = 0;
  std::vector<std::pair<std::string, std::string>>
      headers{};  ///< extra HTTP headers, sent as they are
  /// Extra fields for the body of every request, as a JSON object: options of the server that
  /// OpenAI's interface lacks. Empty: none.
  std::string extra_body{};

  bool operator==(const ServedConfig&) const = default;
};

}  // namespace niah
