// One HTTP request at a time, with all that a server may do wrong as an outcome.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace niah::served {

/// How a transfer ended.
enum class Transfer {
  kWhole,       ///< the answer is there, whatever its status
  kEnough,      ///< the receiver had enough of it
  kStopped,     ///< the caller's stop was requested
  kNotReached,  ///< no connection: name, address, TLS
  kTimedOut,    ///< more time than was given, in all or without a byte
  kDropped,     ///< the connection ended inside the answer, or the answer was no HTTP
  kTooLarge,    ///< more bytes than an answer may have
  kRedirected,  ///< the server sends on to another place, which is not followed
};

struct HttpRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;            ///< empty: GET, else POST
  double seconds = 600;        ///< that the whole may take
  double quiet_seconds = 600;  ///< that may pass without a byte
  std::size_t most_bytes = std::size_t{64} << 20;
  std::stop_token stop{};
  /// Takes the body of an answer with status 200 piece by piece, as it comes; false: enough. Empty:
  /// the body is kept whole.
  std::function<bool(std::string_view)> receive{};
};

struct HttpResponse {
  Transfer transfer = Transfer::kWhole;
  std::string fault;  ///< one line for people, where the transfer did not end well
  long status = 0;    ///< 0: none came
  std::string body;   ///< what was not given to `receive`
  std::string content_type;
  std::string server;                  ///< the header of that name
  std::optional<double> retry_after;   ///< seconds, from seconds or a date
  std::string location;                ///< of a redirect
};

/// A connection that is kept open between requests. One thread at a time may use it.
class HttpClient {
 public:
  HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  /// Sends `request` and waits for its answer. Throws what `receive` throws, and DataError when
  /// the request itself cannot be made (its URL is none).
  HttpResponse send(const HttpRequest& request);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace niah::served
