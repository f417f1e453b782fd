// One request to a served model, from its prompt to its answer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/config/served.h"
#include "harness/engine/answer.h"
#include "harness/engine/request.h"
#include "harness/engine/served/answer_reader.h"
#include "harness/engine/served/pace.h"
#include "harness/engine/served/server.h"
#include "harness/engine/served/wire.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::served {

/// Receives each warning for the user once, as it arises. Called from several threads.
using Warn = std::function<void(const std::string&)>;

/// Asks a served model, and remembers what it has learned about the server. Its functions may be
/// called from several threads.
class Asker {
 public:
  /// `tokenizer` must outlive it.
  Asker(ServedConfig config, std::string key, const models::Tokenizer& tokenizer, Warn warn,
        PaceSettings pace);

  /// Asks, checks how much of the prompt the server read, asks again if cache_probe selects the
  /// prompt, and has the expected answer scored. Nullopt: `stop` was requested before all of that
  /// was done. Throws DataError for what every other request would meet, too. The caller sets the
  /// answer's id.
  std::optional<Answer> ask(const Request& request, const std::stop_token& stop);

  /// Whether prompts are sent as ids, as far as that is known.
  bool takes_ids() const;
  const ServedConfig& config() const { return server_.config(); }
  /// "12 in flight, 8300 tokens/s".
  std::string activity() const;

 private:
  /// How a prompt is sent.
  enum class Form { kIds, kText, kChat };
  /// The result of asking for an answer.
  struct Generated {
    Form form = Form::kIds;
    WirePrompt prompt{};
    Outcome outcome{};
    AnswerReader reader{Enough{}};
    bool is_to_its_end = false;  ///< all of the answer was read
    double seconds = 0;          ///< without the pauses between tries
  };
  /// What ends an answer besides the server's own end.
  struct Ends {
    std::vector<std::string> all{};   ///< texts that may be spelled out
    std::vector<std::string> sent{};  ///< those of them that the server may not know as ends
    TokenIds ids{};                   ///< of the sent ones
  };

  Form form() const;
  WirePrompt prompt_of(const Request& request, Form form) const;
  Ends ends_of(const Request& request) const;
  Generated generate(const Request& request, const std::stop_token& stop);
  void generate_as(Generated& generated, const Request& request, const std::stop_token& stop);
  Outcome try_once(Generated& generated, HttpClient& client, HttpRequest& http,
                   const Enough& enough) const;
  Outcome judge_answer(const HttpResponse& response, const AnswerReader& reader) const;
  void learn(const Generated& generated);
  std::optional<Failure> failure_of(const Generated& generated, const Request& request);
  std::optional<Failure> check_count(const Generated& generated, const Request& request);
  std::optional<Failure> check_room(const Generated& generated, const Request& request) const;
  std::optional<Failure> check_text(const Generated& generated, const Request& request) const;
  std::int64_t tokens_of(const Generated& generated, const Request& request) const;
  /// Sends a request once more and writes into `answer` what became of that.
  void ask_again(Answer& answer, const Generated& first, const Request& request,
                 const std::stop_token& stop);
  bool wants_score(const Request& request) const;
  std::optional<ExpectedScore> score(const Generated& generated, const Request& request,
                                     const std::stop_token& stop);
  void watch(std::string& known, const std::string& told, const char* what);
  void warn_once(const std::string& about, const std::string& text);
  Addressee addressee() const;
  std::string endpoint() const;

  Server server_;
  const models::Tokenizer* tokenizer_;
  Warn warn_;
  std::atomic<bool> takes_ids_ = false;   ///< the server has accepted ids
  std::atomic<bool> wants_text_ = false;  ///< it refused ids and accepted text
  std::atomic<bool> tells_count_ =
      true;  ///< it reports how many tokens it read, as far as is known
  std::atomic<bool> tells_scores_ = true;     ///< it reports log-probabilities, as far as is known
  std::atomic<bool> has_scored_ = false;      ///< it has reported some
  std::atomic<int> unscored_ = 0;             ///< answers without them, before the first with them
  std::atomic<std::int64_t> read_whole_ = 0;  ///< tokens of the longest prompt that it read whole
  std::atomic<std::int64_t> tokens_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::mutex scoring_;  ///< scores of a long prompt take much memory: one answer at a time
  std::mutex lock_;
  std::set<std::string> said_;
  std::string model_, system_fingerprint_;  ///< as the answers name them
};

}  // namespace niah::served
