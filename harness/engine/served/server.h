// Asks a server: tries again where that may help, and never sends more at once than it can take.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/config/served.h"
#include "harness/engine/served/http_client.h"
#include "harness/engine/served/pace.h"
#include "harness/engine/served/wire.h"

namespace niah::served {

/// The result of asking.
enum class Result {
  kAnswered,
  kStopped,   ///< the caller's stop was requested
  kLater,     ///< another try may get an answer
  kRefused,   ///< no other try of this request will
  kHopeless,  ///< nor will any other request
};

/// How asking ended, with the reason as one line for people.
struct Outcome {
  Result result = Result::kAnswered;
  std::string reason{};
  long status = 0;  ///< of HTTP; 0: none
  std::optional<double> retry_after{};
  bool is_overload = false;  ///< fewer requests should be in flight
  bool was_reached = true;   ///< a connection was made
  std::int64_t tries = 1;
};

/// What a status other than 200 means; `words`: the server's message.
Outcome judge_status(long status, const std::string& words, std::optional<double> retry_after);

/// What a response means. The body is not examined when the status is 200.
Outcome judge(const HttpResponse& response, const Hide& hide = {});

/// One served model's server. Its functions may be called from several threads.
class Server {
 public:
  /// One try, on the connection of `client`.
  using Try = std::function<Outcome(HttpClient& client)>;

  Server(ServedConfig config, std::string key, PaceSettings pace);

  const ServedConfig& config() const { return config_; }
  Pace& pace() { return pace_; }
  const Pace& pace() const { return pace_; }

  /// A request to `url` with the key and the headers of the config.
  HttpRequest request(std::string url, std::string body, const std::stop_token& stop) const;
  /// The text with the credentials of our requests hidden.
  std::string hide(std::string text) const { return hide_(std::move(text)); }
  /// The same as a function.
  const Hide& hiding() const { return hide_; }

  /// Tries until there is an answer, as often as the config allows, with pauses in between. The
  /// result is kHopeless if neither this nor any other request got a connection in all that time.
  Outcome ask(const Try& once, const std::stop_token& stop);

  /// The error for an outcome that every other request would have, too.
  DataError hopeless(const Outcome& outcome) const;

 private:
  Outcome ask_once(const Try& once, const std::stop_token& stop);
  HttpClient take_client();

  ServedConfig config_;
  std::string key_;
  Hide hide_;
  Pace pace_;
  std::atomic<std::int64_t> reached_ = 0;  ///< how often there was a connection
  std::mutex lock_;
  std::vector<HttpClient> idle_;
};

}  // namespace niah::served
