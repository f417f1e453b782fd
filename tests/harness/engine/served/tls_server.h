// An HTTPS server on 127.0.0.1 whose certificate nobody but itself vouches for.
#pragma once

#include <memory>
#include <string>

namespace niah::served {

/// Gives every request the body "fine". Runs from construction to destruction; throws
/// std::runtime_error if it cannot.
class TlsServer {
 public:
  /// `host` is the one host of the certificate; it is valid for `days` from now, and has run out if
  /// that is negative.
  explicit TlsServer(const std::string& host, int days = 2);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  int port() const;
  std::string certificate() const;  ///< in PEM
  std::string received() const;     ///< what clients said once a connection was encrypted

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace niah::served
