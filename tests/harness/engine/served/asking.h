// Helpers of the HTTP client's tests: one request to a misbehaving server.
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/engine/served/http_client.h"
#include "tests/harness/engine/served/misbehaving_server.h"

namespace niah::served {

inline constexpr const char* kKey = "sk-a-key-that-nobody-may-see";

/// A variable of the environment, set until destruction.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// The wall time of `work` in seconds.
inline double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Sends the request on a new connection.
inline HttpResponse send(const HttpRequest& request) {
  HttpClient client;
  return client.send(request);
}

/// A request with an API key to a path of the server.
inline HttpRequest request_to(const MisbehavingServer& server,
                              const std::string& path = "/v1/models") {
  return {.url = server.origin() + path,
          .headers = {{"Authorization", std::string("Bearer ") + kKey}},
          .seconds = 20,
          .quiet_seconds = 20};
}

/// The response to one request to a server that always gives `reply`.
inline HttpResponse answer_of(const Reply& reply) {
  const MisbehavingServer server([&](const SeenRequest&) { return reply; });
  return send(request_to(server));
}

/// A chunked reply with one chunk per piece.
inline Reply stream(std::vector<Piece> pieces, Ending ending = Ending::kWhole) {
  return {.pieces = std::move(pieces), .framing = Framing::kChunked, .ending = ending};
}

}  // namespace niah::served
