// Sends one HTTP request at a time; whatever a server may do wrong is reported as an outcome.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "harness/engine/served/http_request.h"

namespace niah::served {

/// How a transfer ended.
enum class Transfer {
  kWhole,       ///< a complete answer with any status but 3xx
  kEnough,      ///< the receiver had enough of it
  kStopped,     ///< the caller's stop was requested
  kNotReached,  ///< no connection: name, address or TLS failed, or took over half a minute
  kTimedOut,    ///< the time limit passed, in all or without a byte
  kDropped,     ///< the connection ended inside the answer, or it was not HTTP
  kTooLarge,    ///< more bytes than an answer may have, after decompression
  kRedirected,  ///< a redirect (any 3xx), which is not followed
};

/// A server's answer. Text for people is one bounded line of valid UTF-8, without the request's
/// secrets (see hide_secrets). The body is as the server sent it.
struct HttpResponse {
  Transfer transfer = Transfer::kWhole;
  std::string fault;  ///< one line that names the server, where the transfer did not end well
  long status = 0;    ///< 0: none came
  /// The body, unless `receive` got it. For a status other than 200 its first 64 KiB, without
  /// secrets.
  std::string body;
  std::string content_type;
  std::string server;                 ///< the header of that name
  std::optional<double> retry_after;  ///< seconds, from seconds or a date; 0 to a day
  std::string location;               ///< of a redirect, without its query
};

/// A connection that is kept open between requests, and opened again if the server has closed it.
/// One thread at a time may use it.
class HttpClient {
 public:
  HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  /// Sends `request` and waits for its answer. Throws what `receive` throws, and DataError when the
  /// request itself cannot be made: its URL or a header is not valid.
  HttpResponse send(const HttpRequest& request);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace niah::served
