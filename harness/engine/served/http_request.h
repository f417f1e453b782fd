// A request to a server: what it may contain, and how it may be shown.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace niah::served {

/// A request to a server. A proxy named by the environment (https_proxy, no_proxy) is used for
/// https alone, where it sees no header; SSL_CERT_FILE of the environment names a file of trusted
/// certificate authorities.
struct HttpRequest {
  std::string url{};  ///< http or https, without a user name or password
  /// Sent to that host only. "Content-Type: application/json" is added to a body unless given here.
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};          ///< empty: GET, else POST
  double seconds = 600;        ///< limit for the whole exchange
  double quiet_seconds = 600;  ///< limit without a byte moving
  std::size_t most_bytes = std::size_t{64} << 20;
  std::stop_token stop{};  ///< ends the transfer at once
  /// Takes the body of an answer with status 200 piece by piece, as it comes; false: enough, and
  /// the connection is closed unless it was at its end. Empty: the body is kept whole.
  std::function<bool(std::string_view)> receive{};
};

/// Throws DataError when the request cannot be made: its URL is not valid or holds a user name or
/// password, or a header has an invalid name, or a value with a line break. Never shows a value.
void check_request(const HttpRequest& request);

/// Whether it has a header of that name, which is given in lower case.
bool has_header(const HttpRequest& request, std::string_view name);

/// Whether the URL of a request that was checked is one of plain http.
bool is_plain_http(const std::string& url);

/// A URL for people, one short line: without user name, password and query, whether it is valid or
/// not.
std::string shown_url(std::string_view url);

/// Text from outside, as one short line of valid UTF-8.
std::string shown_words(std::string_view text);

/// `text` with every credential of the request replaced by "***": bearer and basic tokens, and
/// values of headers whose names contain key, token, secret, cookie or password, of eight bytes or
/// more. For words of a server, which may have echoed them.
std::string hide_secrets(std::string text, const HttpRequest& request);

}  // namespace niah::served
