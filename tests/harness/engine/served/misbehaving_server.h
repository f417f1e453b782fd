// An HTTP/1.1 server on this machine that behaves as a test tells it to, mostly badly.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/harness/engine/served/reply.h"

namespace niah::served {

/// A request as the server read it. Without a method if it was not HTTP (as with TLS).
struct SeenRequest {
  std::string method{};
  std::string path{};  ///< including the query
  Headers headers{};
  std::string body{};
  nlohmann::json json = nullptr;  ///< the parsed body; null if it is not JSON
  std::size_t number = 0;         ///< index among all requests, from 0
  std::size_t connection = 0;     ///< index of its connection, from 0

  /// The value of the header with this name, in upper or lower case; "" if there is none.
  std::string header(std::string_view name) const;
};

/// Gives the reply to a request. Called from the connection's own thread; must return.
using Behaviour = std::function<Reply(const SeenRequest&)>;

/// The addresses under which a machine reaches itself: 127.0.0.1 and ::1.
enum class Loopback { kIpv4, kIpv6 };

/// A server that runs from construction to destruction. The destructor never waits for a client.
class MisbehavingServer {
 public:
  /// Throws std::runtime_error where the machine has no such address.
  explicit MisbehavingServer(Behaviour behaviour, Loopback loopback = Loopback::kIpv4);
  ~MisbehavingServer();
  MisbehavingServer(const MisbehavingServer&) = delete;
  MisbehavingServer& operator=(const MisbehavingServer&) = delete;

  int port() const;
  std::string origin() const;                           ///< such as "http://127.0.0.1:PORT"
  std::string url() const { return origin() + "/v1"; }  ///< base URL for a config

  std::vector<SeenRequest> requests() const;  ///< all so far, in order of arrival
  std::size_t requests_to(std::string_view path) const;
  std::size_t connections() const;     ///< accepted so far
  std::size_t most_in_flight() const;  ///< the most unanswered requests at one time
  /// The number of answers that a client did not wait for: it closed the connection before their
  /// end.
  std::size_t left_early() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace niah::served
