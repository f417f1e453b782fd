#include "harness/engine/served/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <new>

#include "harness/base/error.h"

namespace niah::served {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kErrorBytes = std::size_t{64} << 10;
constexpr std::size_t kHeaderBytes = std::size_t{256} << 10;
constexpr double kConnectSeconds = 30;
constexpr double kLongestRetryAfter = 24 * 3600;
/// A stop wakes the wait at once; this is for a process that had no descriptors left for that.
constexpr long kPollMilliseconds = 100;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

void append(HeaderList& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(longer);
}

HeaderList header_list(const HttpRequest& request) {
  HeaderList list;
  if (!request.body.empty() && !has_header(request, "content-type"))
    append(list, "Content-Type: application/json");
  // Otherwise a long prompt waits a second for a "100 Continue" that many servers never send.
  if (!request.body.empty()) append(list, "Expect:");
  // To libcurl, "Name:" is a header to leave out, and "Name;" one without a value.
  for (const auto& [name, value] : request.headers)
    append(list, value.empty() ? name + ";" : name + ": " + value);
  return list;
}

long milliseconds(double seconds) {
  const double wanted = std::ceil(seconds * 1000);
  if (!(wanted > 1)) return 1;
  return wanted < INT_MAX ? static_cast<long>(wanted) : INT_MAX;
}

/// The seconds of a Retry-After header, which holds seconds or a date; nullopt for anything else.
std::optional<double> parse_retry_after(const std::string& value) {
  char* end = nullptr;
  double seconds = std::strtod(value.c_str(), &end);
  if (end == value.c_str() || *end != '\0' || !std::isfinite(seconds)) {
    const std::time_t date = curl_getdate(value.c_str(), nullptr);
    if (date == -1) return std::nullopt;
    seconds = std::difftime(date, std::time(nullptr));
  }
  return std::clamp(seconds, 0.0, kLongestRetryAfter);
}

/// Tells when too much time passes without a byte.
class QuietWatch {
 public:
  explicit QuietWatch(double most_seconds) : most_(most_seconds) {}

  /// Seconds left, given the bytes moved so far in all; 0 or less: time is up.
  double left(curl_off_t moved) {
    const Clock::time_point now = Clock::now();
    if (moved != moved_) last_ = now;
    moved_ = moved;
    return most_ - std::chrono::duration<double>(now - last_).count();
  }

 private:
  double most_;
  curl_off_t moved_ = 0;
  Clock::time_point last_ = Clock::now();
};

/// One request in progress, with what libcurl's callbacks need.
class Exchange {
 public:
  Exchange(CURLM* multi, CURL* easy, const HttpRequest& request)
      : multi_(multi), easy_(easy), request_(request), headers_(header_list(request)) {
    curl_easy_reset(easy_);
    set_target();
    set_request();
    set_callbacks();
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    curl_multi_remove_handle(multi_, easy_);
    curl_easy_reset(easy_);
  }

  HttpResponse run() {
    const CURLcode code = transfer();
    if (thrown_) std::rethrow_exception(thrown_);
    if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    read_headers();
    response_.transfer = outcome(code);
    response_.fault = hide_secrets(fault(code), request_);
    return std::move(response_);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy_, option, value);
    if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    check(code == CURLE_OK, "libcurl knows every option that is set");
  }

  template <class Value>
  Value info(CURLINFO what) const {
    Value value{};
    curl_easy_getinfo(easy_, what, &value);
    return value;
  }

  void set_target() {
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    // A proxy would read all headers of plain http, the key among them.
    if (is_plain_http(request_.url)) set(CURLOPT_PROXY, "");
    set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    const char* const authorities = std::getenv("SSL_CERT_FILE");
    if (authorities != nullptr && *authorities != '\0') set(CURLOPT_CAINFO, authorities);
  }

  void set_request() {
    // Closing a connection is how a server learns that an answer is no longer wanted: one request
    // at a time on each, as HTTP/1.1 has it.
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_USERAGENT, "niah");
    set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    if (!request_.body.empty()) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      set(CURLOPT_POSTFIELDS, request_.body.data());
    }
    set(CURLOPT_TIMEOUT_MS, milliseconds(request_.seconds));
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(std::min(kConnectSeconds, request_.seconds)));
    // While the server reads a long prompt no byte moves, and routers forget such connections.
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    // So that a stop does not wait for a name server.
    set(CURLOPT_QUICK_EXIT, 1L);
  }

  void set_callbacks() {
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
    set(CURLOPT_HEADERDATA, this);
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    try {
      return exchange.take({data, size}) ? size : CURL_WRITEFUNC_ERROR;
    } catch (...) {
      exchange.thrown_ = std::current_exception();
      return CURL_WRITEFUNC_ERROR;
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const std::string_view line(data, size);
    if (line.starts_with("HTTP/")) exchange.has_whole_head_ = false;
    if (line == "\r\n" || line == "\n") exchange.has_whole_head_ = true;
    exchange.header_bytes_ += size;
    if (exchange.header_bytes_ <= kHeaderBytes) return size;
    exchange.end(Transfer::kTooLarge);
    return CURL_WRITEFUNC_ERROR;
  }

  bool end(Transfer transfer) {
    ended_ = transfer;
    return false;
  }

  /// Takes a piece of the body; false: no more of it.
  bool take(std::string_view piece) {
    if (request_.stop.stop_requested()) return end(Transfer::kStopped);
    if (info<long>(CURLINFO_RESPONSE_CODE) != 200) {
      // A little more than is kept, so that no secret is cut in two, and then not recognised.
      response_.body += piece.substr(0, kErrorBytes + kHeaderBytes - response_.body.size());
      return response_.body.size() < kErrorBytes + kHeaderBytes || end(Transfer::kWhole);
    }
    if (piece.size() > request_.most_bytes - received_) return end(Transfer::kTooLarge);
    received_ += piece.size();
    if (request_.receive) return request_.receive(piece) || end(Transfer::kEnough);
    response_.body += piece;
    return true;
  }

  /// Bytes that went either way so far.
  curl_off_t moved() const {
    return info<curl_off_t>(CURLINFO_SIZE_UPLOAD_T) + info<curl_off_t>(CURLINFO_SIZE_DOWNLOAD_T) +
           static_cast<curl_off_t>(header_bytes_);
  }

  /// libcurl's result; also CURLE_OK when the transfer was ended here.
  CURLcode transfer() {
    require(curl_multi_add_handle(multi_, easy_));
    const std::stop_callback wake(request_.stop, [this] { curl_multi_wakeup(multi_); });
    drive();
    CURLcode code = CURLE_OK;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left))
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    return code;
  }

  /// Throws for errors that are neither the request's nor the server's.
  void require(CURLMcode code) const {
    if (code == CURLM_OUT_OF_MEMORY) throw std::bad_alloc();
    if (code != CURLM_OK)
      throw DataError(fmt::format("asking {}: libcurl: {}", shown_url(request_.url),
                                  curl_multi_strerror(code)));
  }

  void drive() {
    QuietWatch watch(request_.quiet_seconds);
    for (int running = 1; !request_.stop.stop_requested();) {
      require(curl_multi_perform(multi_, &running));
      if (running == 0) return;
      const double left = watch.left(moved());
      was_quiet_ = left <= 0;
      if (was_quiet_) return static_cast<void>(end(Transfer::kTimedOut));
      const long wait = std::min(milliseconds(left), kPollMilliseconds);
      require(curl_multi_poll(multi_, nullptr, 0, static_cast<int>(wait), nullptr));
    }
    end(Transfer::kStopped);
  }

  std::string header(const char* name) const {
    curl_header* found = nullptr;
    if (curl_easy_header(easy_, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return {};
    return found->value;
  }

  /// A header of the answer, for people.
  std::string shown_header(const char* name) const {
    return shown_words(hide_secrets(header(name), request_));
  }

  void read_headers() {
    response_.status = info<long>(CURLINFO_RESPONSE_CODE);
    response_.content_type = shown_header("Content-Type");
    response_.server = shown_header("Server");
    response_.retry_after = parse_retry_after(header("Retry-After"));
    const char* const absolute = info<char*>(CURLINFO_REDIRECT_URL);
    const std::string location = absolute == nullptr ? header("Location") : absolute;
    response_.location = shown_url(hide_secrets(location, request_));
    if (response_.status == 200) return;
    response_.body = hide_secrets(std::move(response_.body), request_);
    response_.body.resize(std::min(response_.body.size(), kErrorBytes));
  }

  Transfer outcome(CURLcode code) const {
    if (ended_ == Transfer::kStopped || ended_ == Transfer::kTooLarge) return *ended_;
    if (response_.status / 100 == 3) return Transfer::kRedirected;
    const bool was_reached = info<curl_off_t>(CURLINFO_PRETRANSFER_TIME_T) > 0 &&
                             code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
                             code != CURLE_COULDNT_RESOLVE_PROXY;
    if (!was_reached) return Transfer::kNotReached;
    if (ended_) return *ended_;
    if (code == CURLE_OPERATION_TIMEDOUT) return Transfer::kTimedOut;
    // To libcurl, an end inside the headers is an answer without a body.
    return code == CURLE_OK && has_whole_head_ ? Transfer::kWhole : Transfer::kDropped;
  }

  std::string fault(CURLcode code) const {
    const std::string url = shown_url(request_.url);
    switch (response_.transfer) {
      case Transfer::kWhole:
      case Transfer::kEnough:
        return {};
      case Transfer::kStopped:
        return fmt::format("stopped before {} had answered", url);
      case Transfer::kNotReached:
        return not_reached(url, code);
      case Transfer::kTimedOut:
        return was_quiet_
                   ? fmt::format("{} sent nothing for {:g} s", url, request_.quiet_seconds)
                   : fmt::format("{} had not ended its answer after {:g} s", url, request_.seconds);
      case Transfer::kDropped:
        return dropped(url, code);
      case Transfer::kTooLarge:
        return header_bytes_ > kHeaderBytes
                   ? fmt::format("{} sent more than {} bytes of headers", url, kHeaderBytes)
                   : fmt::format("{} sent more than {} bytes", url, request_.most_bytes);
      case Transfer::kRedirected:
        return redirected(url);
    }
    return {};
  }

  std::string reason(CURLcode code) const {
    if (error_[0] != '\0') return shown_words(error_.data());
    return code == CURLE_OK ? "it ended among the headers" : curl_easy_strerror(code);
  }

  std::string not_reached(const std::string& url, CURLcode code) const {
    const std::string why =
        was_quiet_ ? fmt::format("none within {:g} s", request_.quiet_seconds) : reason(code);
    const char* const remedy =
        code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE
            ? "a certificate is trusted where it has the URL's host, and the authorities of this "
              "system, or of the file SSL_CERT_FILE of the environment, vouch for it"
            : "check that the server runs, and its address";
    return fmt::format("no connection to {}: {}; {}", url, why, remedy);
  }

  std::string dropped(const std::string& url, CURLcode code) const {
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
      return fmt::format("{} gave an answer that is no HTTP ({}); check the port", url,
                         reason(code));
    return fmt::format("{} ended the connection before its answer was complete ({}; {} bytes came)",
                       url, reason(code), info<curl_off_t>(CURLINFO_SIZE_DOWNLOAD_T));
  }

  std::string redirected(const std::string& url) const {
    if (response_.location.empty())
      return fmt::format("{} answered with a redirect ({}) that leads nowhere; check the URL", url,
                         response_.status);
    return fmt::format(
        "{} sends on to {} ({}), which is not followed: prompts and keys go where the config says; "
        "give that address as the URL if it is right",
        url, response_.location, response_.status);
  }

  CURLM* multi_;
  CURL* easy_;
  const HttpRequest& request_;
  HeaderList headers_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  HttpResponse response_;
  std::optional<Transfer> ended_;  ///< by us
  bool was_quiet_ = false;
  bool has_whole_head_ = false;
  std::size_t header_bytes_ = 0;
  std::size_t received_ = 0;
  std::exception_ptr thrown_;
};

}  // namespace

struct HttpClient::Handle {
  /// Owns the connections.
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi{curl_multi_init(),
                                                              &curl_multi_cleanup};
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{curl_easy_init(), &curl_easy_cleanup};
};

HttpClient::HttpClient() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready == CURLE_OK) handle_ = std::make_unique<Handle>();
  if (!handle_ || !handle_->multi || !handle_->easy)
    throw DataError(
        fmt::format("preparing to ask a server: libcurl: {}",
                    curl_easy_strerror(ready == CURLE_OK ? CURLE_OUT_OF_MEMORY : ready)));
}

HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request) {
  check(handle_ != nullptr, "an HTTP client that was moved from sends nothing");
  check_request(request);
  return Exchange(handle_->multi.get(), handle_->easy.get(), request).run();
}

}  // namespace niah::served
