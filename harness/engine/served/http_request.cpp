#include "harness/engine/served/http_request.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <new>

#include "harness/base/error.h"
#include "harness/base/text.h"

namespace niah::served {
namespace {

constexpr std::size_t kShownBytes = 300;
constexpr std::size_t kShortestSecret = 8;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool has_part(CURLU* url, CURLUPart part) {
  char* found = nullptr;
  const bool has = curl_url_get(url, part, &found, 0) == CURLUE_OK;
  curl_free(found);
  return has;
}

bool is_of_scheme(const std::string& url, std::string_view scheme) {
  return lower(url.substr(0, scheme.size() + 1)) == std::string(scheme) + ":";
}

void check_url(const std::string& text) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  if (!url) throw std::bad_alloc();
  CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0);
  if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
  if (text.find('\0') != std::string::npos) code = CURLUE_MALFORMED_INPUT;
  const bool is_http = is_of_scheme(text, "http") || is_of_scheme(text, "https");
  if (code != CURLUE_OK || !is_http)
    throw DataError(
        fmt::format("asking a server: '{}' is not the URL of one ({}); http://HOST:PORT/PATH or "
                    "https://HOST/PATH "
                    "was expected",
                    shown_url(text), is_http ? curl_url_strerror(code) : "neither http nor https"));
  if (has_part(url.get(), CURLUPART_USER) || has_part(url.get(), CURLUPART_PASSWORD))
    throw DataError(
        fmt::format("asking {}: its URL holds a user name or password, which would be seen "
                    "wherever the URL is; "
                    "give a key by the environment, or a header Authorization",
                    shown_url(text)));
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || kMarks.find(static_cast<char>(c)) != kMarks.npos);
  });
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

/// Throws DataError for a header that must not be sent; `url` is for the message.
void check_header(const std::string& name, const std::string& value, const std::string& url) {
  if (!is_header_name(name))
    throw DataError(fmt::format(
        "asking {}: '{}' is not a header's name; letters, digits and hyphens were expected",
        shown_url(url), shown_words(name)));
  const auto found = std::find_if(value.begin(), value.end(), is_control);
  if (found == value.end()) return;
  throw DataError(fmt::format(
      "asking {}: the value of the header {} has a line break or another control character (byte "
      "{} "
      "of {}), which no header may have; see whether the key, or the header in the config, ends "
      "with one",
      shown_url(url), name, found - value.begin() + 1, value.size()));
}

/// The credential in a header's value; empty if the header carries none.
std::string_view secret_of(const std::string& name, std::string_view value) {
  const std::string plain = lower(name);
  if (plain.ends_with("authorization")) return value.substr(value.find(' ') + 1);
  for (const char* word : {"key", "token", "secret", "cookie", "password"})
    if (plain.find(word) != std::string::npos) return value;
  return {};
}

}  // namespace

void check_request(const HttpRequest& request) {
  check_url(request.url);
  for (const auto& [name, value] : request.headers) check_header(name, value, request.url);
}

bool has_header(const HttpRequest& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const auto& header) { return lower(header.first) == name; });
}

bool is_plain_http(const std::string& url) { return is_of_scheme(url, "http"); }

std::string shown_words(std::string_view text) {
  return cut_short(single_line(text.substr(0, 2 * kShownBytes)), kShownBytes);
}

std::string shown_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == url.npos ? 0 : scheme + 3;
  const std::size_t at = url.rfind('@');
  if (at == url.npos || at < host) return shown_words(url);
  return shown_words(std::string(url.substr(0, host)).append(url.substr(at + 1)));
}

std::string hide_secrets(std::string text, const HttpRequest& request) {
  for (const auto& [name, value] : request.headers) {
    const std::string_view secret = secret_of(name, value);
    if (secret.size() >= kShortestSecret) text = replace_all(std::move(text), secret, "***");
  }
  return text;
}

}  // namespace niah::served
