// Sends one HTTP request at a time; whatever a server may do wrong is an outcome.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "harness/engine/served/http_request.h"

namespace niah::served {

/// How a transfer ended.
enum class Transfer {
  kWhole,       ///< the answer is there, whatever its status, which is none of 3xx
  kEnough,      ///< the receiver had enough of it
  kStopped,     ///< the caller's stop was requested
  kNotReached,  ///< no connection: name, address, TLS, or none of them within half a minute
  kTimedOut,    ///< more time than was given, in all or without a byte
  kDropped,     ///< the connection ended inside the answer, or the answer was no HTTP
  kTooLarge,    ///< more bytes than an answer may have, after decompression
  kRedirected,  ///< the server sends on to another place (any 3xx), which is not followed
};

/// What a server answered. Where it is text for people it is one line of valid UTF-8, bounded, and
/// free of the request's secrets (see hide_secrets). The body is as the server sent it.
struct HttpResponse {
  Transfer transfer = Transfer::kWhole;
  std::string fault;  ///< one line that names the server, where the transfer did not end well
  long status = 0;    ///< 0: none came
  /// What was not given to `receive`; of an answer with another status than 200 the first 64 KiB,
  /// without secrets.
  std::string body;
  std::string content_type;
  std::string server;                 ///< the header of that name
  std::optional<double> retry_after;  ///< seconds, from seconds or a date; 0 to a day
  std::string location;               ///< of a redirect, without its query
};

/// A connection that is kept open between requests, and opened again where the server closed it
/// meanwhile. One thread at a time may use it.
class HttpClient {
 public:
  HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  /// Sends `request` and waits for its answer. Throws what `receive` throws, and DataError when
  /// the request itself cannot be made: its URL is none, or a header would not stay one.
  HttpResponse send(const HttpRequest& request);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace niah::served
