#include "harness/engine/served/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "harness/base/text.h"
#include "harness/engine/served/wire.h"

namespace niah::served {
namespace {

constexpr std::size_t kMostReason = 600;

bool passes(long status) {
  constexpr long kTimeout = 408, kTooEarly = 425, kTooMany = 429;
  return status == kTimeout || status == kTooEarly || status == kTooMany || status >= 500;
}

bool concerns_all(long status) { return status == 401 || status == 403 || status == 404; }

}  // namespace

Outcome judge_status(long status, const std::string& words, std::optional<double> retry_after) {
  Outcome outcome;
  outcome.reason = fmt::format("the server answered {}: {}", status, words);
  outcome.status = status;
  outcome.retry_after = retry_after;
  outcome.is_overload = status == 429 || (status == 503 && retry_after);
  outcome.result = concerns_all(status)               ? Result::kHopeless
                   : status >= 400 && !passes(status) ? Result::kRefused
                                                      : Result::kLater;
  return outcome;
}

Outcome judge(const HttpResponse& response, const Hide& hide) {
  switch (response.transfer) {
    case Transfer::kWhole:
    case Transfer::kEnough:
      if (response.status == 200) return {.status = response.status};
      return judge_status(response.status, parse_error(response.body, hide).words,
                          response.retry_after);
    case Transfer::kStopped:
      return {.result = Result::kStopped, .reason = response.fault};
    case Transfer::kRedirected:
      return {.result = Result::kHopeless, .reason = response.fault, .status = response.status};
    case Transfer::kNotReached:
      return {.result = Result::kLater, .reason = response.fault, .was_reached = false};
    case Transfer::kTimedOut:
    case Transfer::kDropped:
    case Transfer::kTooLarge:
      break;
  }
  return {.result = Result::kLater, .reason = response.fault, .status = response.status};
}

Server::Server(ServedConfig config, std::string key, PaceSettings pace)
    : config_(std::move(config)),
      key_(std::move(key)),
      hide_([sent = request({}, {}, {})](std::string text) {
        return hide_secrets(std::move(text), sent);
      }),
      pace_(config_.concurrency, std::move(pace)) {}

HttpRequest Server::request(std::string url, std::string body, const std::stop_token& stop) const {
  HttpRequest request{.url = std::move(url), .headers = config_.headers, .body = std::move(body)};
  if (!key_.empty() && !has_header(request, "authorization"))
    request.headers.emplace_back("Authorization", "Bearer " + key_);
  request.seconds = request.quiet_seconds = config_.timeout;
  request.stop = stop;
  return request;
}

HttpClient Server::take_client() {
  const std::lock_guard guard(lock_);
  if (idle_.empty()) return HttpClient();
  HttpClient client = std::move(idle_.back());
  idle_.pop_back();
  return client;
}

Outcome Server::ask_once(const Try& once, const std::stop_token& stop) {
  const auto slot = pace_.begin(stop);
  if (!slot) return {.result = Result::kStopped};
  HttpClient client = take_client();
  Outcome outcome = once(client);
  {
    const std::lock_guard guard(lock_);
    idle_.push_back(std::move(client));
  }
  if (outcome.was_reached) ++reached_;
  if (outcome.result == Result::kAnswered) pace_.answered();
  if (outcome.is_overload) pace_.overloaded(outcome.retry_after);
  outcome.reason = cut_short(hide(single_line(outcome.reason)), kMostReason);
  return outcome;
}

Outcome Server::ask(const Try& once, const std::stop_token& stop) {
  const std::int64_t reached_before = reached_;
  for (std::int64_t tries = 1;; ++tries) {
    Outcome outcome = ask_once(once, stop);
    outcome.tries = tries;
    if (outcome.result != Result::kLater) return outcome;
    if (tries > config_.retries) {
      if (reached_ == reached_before) outcome.result = Result::kHopeless;
      return outcome;
    }
    const double pause = pause_before(tries + 1, outcome.retry_after, pace_.settings());
    if (!wait_seconds(pause, stop)) return {.result = Result::kStopped};
  }
}

DataError Server::hopeless(const Outcome& outcome) const {
  const std::string asking =
      fmt::format("asking the model '{}' at {}", single_line(config_.model), config_.url);
  const std::string tries =
      outcome.tries > 1 ? fmt::format(" (tried {} times)", outcome.tries) : std::string();
  std::string advice;
  if (outcome.status == 401 || outcome.status == 403)
    advice = config_.key_env.empty()
                 ? "; name the environment variable that has the key as `key_env`"
                 : fmt::format("; check the key in the environment variable {}", config_.key_env);
  else if (outcome.status == 404)
    advice = "; check `url`, which usually ends in /v1, `model` and `api`";
  return DataError(fmt::format("{}: {}{}{}", asking, outcome.reason, tries, advice));
}

}  // namespace niah::served
