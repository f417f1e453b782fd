// An HTTP/1.1 server on 127.0.0.1 that behaves as a test says, badly above all.
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

/// A request as the server read it. What is no HTTP (TLS) is one without a method.
struct SeenRequest {
  std::string method{};
  std::string path{};  ///< with its query
  Headers headers{};
  std::string body{};
  nlohmann::json json = nullptr;  ///< of the body; null where it is none
  std::size_t number = 0;         ///< of all requests, from 0
  std::size_t connection = 0;     ///< on which it came, from 0

  /// Of that name, in any case; "" where there is none.
  std::string header(std::string_view name) const;
};

/// Decides on a reply. Called from a thread for each connection; must return.
using Behaviour = std::function<Reply(const SeenRequest&)>;

/// A server that runs from its making to its end, which never waits for a client.
class MisbehavingServer {
 public:
  explicit MisbehavingServer(Behaviour behaviour);
  ~MisbehavingServer();
  MisbehavingServer(const MisbehavingServer&) = delete;
  MisbehavingServer& operator=(const MisbehavingServer&) = delete;

  int port() const;
  std::string origin() const;                           ///< "http://127.0.0.1:PORT"
  std::string url() const { return origin() + "/v1"; }  ///< as a config names it

  std::vector<SeenRequest> requests() const;  ///< all so far, in the order in which they came
  std::size_t requests_to(std::string_view path) const;
  std::size_t connections() const;     ///< accepted so far
  std::size_t most_in_flight() const;  ///< requests that had no whole answer at one time
  /// Answers that the client did not wait for: it closed the connection before their end.
  std::size_t left_early() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace niah::served
