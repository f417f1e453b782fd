#include "harness/engine/served/asker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/progress.h"
#include "harness/base/text.h"
#include "harness/engine/served/request_order.h"

namespace niah::served {
namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

std::string with_tries(const Outcome& outcome) {
  return outcome.tries > 1 ? fmt::format("{} (tried {} times)", outcome.reason, outcome.tries)
                           : outcome.reason;
}

/// Whether two answers to the same request agree. When they were decided early, one may be longer
/// because more tokens arrived at once.
bool are_alike(const AnswerReader& first, const AnswerReader& second) {
  if (first.is_decided() != second.is_decided()) return false;
  const auto& [shorter, longer] = std::minmax(first.text(), second.text(),
                                              [](auto& a, auto& b) { return a.size() < b.size(); });
  return first.is_decided() ? longer.starts_with(shorter) : longer == shorter;
}

}  // namespace

Asker::Asker(ServedConfig config, std::string key, const models::Tokenizer& tokenizer, Warn warn,
             PaceSettings pace)
    : server_(std::move(config), std::move(key), std::move(pace)),
      tokenizer_(&tokenizer),
      warn_(std::move(warn)) {}

bool Asker::takes_ids() const { return form() == Form::kIds; }

Asker::Form Asker::form() const {
  if (config().api == "chat") return Form::kChat;
  if (config().prompts == "text" || (config().prompts == "auto" && wants_text_)) return Form::kText;
  return Form::kIds;
}

Addressee Asker::addressee() const { return {config().model, config().extra_body}; }

std::string Asker::endpoint() const {
  return config().url + (config().api == "chat" ? "/chat/completions" : "/completions");
}

std::string Asker::activity() const {
  const double seconds = seconds_since(begin_);
  const double rate = seconds > 0 ? static_cast<double>(tokens_) / seconds : 0;
  return fmt::format("{} in flight, {:.0f} tokens/s", server_.pace().in_flight(), rate);
}

void Asker::warn_once(const std::string& about, const std::string& text) {
  {
    const std::lock_guard guard(lock_);
    if (!said_.insert(about).second) return;
  }
  warn_(fmt::format("the model '{}' at {}: {}", single_line(config().model), config().url, text));
}

WirePrompt Asker::prompt_of(const Request& request, Form form) const {
  if (form == Form::kIds) return request.ids;
  if (form == Form::kChat) {
    check(static_cast<bool>(request.question), "a request to a chat endpoint carries its question");
    return Chat{request.system, request.question(), request.answer_prefix};
  }
  check(static_cast<bool>(request.text), "a request that is sent as text carries its text");
  return request.text();
}

/// The texts of the tokens that end an answer. Left out is a token whose text does not encode to
/// it: it is not a special token, and an answer may contain that text.
Asker::Ends Asker::ends_of(const Request& request) const {
  constexpr std::size_t kMostSent = 4;  // OpenAI takes no more
  Ends ends;
  for (const std::int64_t id : request.stop_ids) {
    const auto token = static_cast<models::TokenId>(id);
    if (token != id || !tokenizer_->knows(token)) continue;
    const std::string text = tokenizer_->decode({token});
    if (text.empty() || tokenizer_->encode(text) != std::vector{token}) continue;
    if (std::find(ends.all.begin(), ends.all.end(), text) != ends.all.end()) continue;
    ends.all.push_back(text);
    if (token == tokenizer_->eos_id() || ends.sent.size() == kMostSent) continue;
    ends.sent.push_back(text);
    ends.ids.push_back(id);
  }
  return ends;
}

Outcome Asker::judge_answer(const HttpResponse& response, const AnswerReader& reader) const {
  if (response.status != 200) return judge(response, server_.hiding());
  if (response.transfer == Transfer::kWhole && reader.is_whole()) return {.status = 200};
  if (reader.is_enough()) return {.status = 200};
  if (const auto& error = reader.error()) {
    // An error inside an answer that had begun with 200; without a status of its own it may be
    // anything.
    const long status = error->status.value_or(200);
    return judge_status(status, error->words, response.retry_after);
  }
  if (reader.fault().empty()) return judge(response, server_.hiding());
  return {.result = Result::kLater,
          .reason = fmt::format("{} gave no answer: {}", endpoint(), reader.fault()),
          .status = 200};
}

Outcome Asker::try_once(Generated& generated, HttpClient& client, HttpRequest& http,
                        const Enough& enough) const {
  const auto begin = std::chrono::steady_clock::now();
  AnswerReader& reader = generated.reader = AnswerReader(enough);
  http.receive = [&reader](std::string_view bytes) { return reader.take(bytes); };
  const HttpResponse response = client.send(http);
  generated.is_to_its_end = response.transfer == Transfer::kWhole;
  if (response.status == 200 && generated.is_to_its_end) reader.finish();
  generated.seconds += seconds_since(begin);
  return judge_answer(response, reader);
}

void Asker::generate_as(Generated& generated, const Request& request, const std::stop_token& stop) {
  const Ends ends = ends_of(request);
  // Thought and answer each have a limit; a server knows only one, for both together.
  AnswerLimits limits{.max_tokens = request.room()};
  if (generated.form != Form::kChat) {
    limits.stops = ends.sent;
    limits.stop_ids = ends.ids;
  }
  const Enough enough{.max_tokens = request.room(),
                      .stops = ends.all,
                      .is_decided = request.is_decided,
                      .waits_for_count = tells_count_ && std::ssize(request.ids) > read_whole_,
                      .hide = server_.hiding()};
  generated.prompt = prompt_of(request, generated.form);
  HttpRequest http =
      server_.request(endpoint(), generation_body(addressee(), generated.prompt, limits), stop);
  constexpr std::size_t kBytesAToken = 8192, kMostMegabytes = 64;
  const auto room = static_cast<std::size_t>(request.room());
  http.most_bytes =
      std::min(kMostMegabytes * kMegabyte, kMegabyte + kBytesAToken * std::min(room, kMegabyte));
  generated.outcome = server_.ask(
      [&](HttpClient& client) { return try_once(generated, client, http, enough); }, stop);
}

/// Sends ids first. If the server refuses them, sends text instead, and keeps to that if it is
/// accepted.
Asker::Generated Asker::generate(const Request& request, const std::stop_token& stop) {
  constexpr long kBad = 400, kUnprocessable = 422;
  Generated first{.form = form()};
  generate_as(first, request, stop);
  const Outcome& outcome = first.outcome;
  if (first.form == Form::kIds && outcome.result == Result::kAnswered) takes_ids_ = true;
  const bool may_be_the_ids = outcome.result == Result::kRefused &&
                              (outcome.status == kBad || outcome.status == kUnprocessable);
  if (first.form != Form::kIds || config().prompts != "auto" || takes_ids_ || !may_be_the_ids)
    return first;
  Generated second{.form = Form::kText};
  generate_as(second, request, stop);
  if (second.outcome.result != Result::kAnswered) return second;
  wants_text_ = true;
  warn_once("ids", fmt::format("it refuses prompts as token ids ({}), so they are sent as text, "
                               "which it tokenizes itself",
                               outcome.reason));
  return second;
}

std::optional<Answer> Asker::ask(const Request& request, const std::stop_token& stop) {
  const Generated said = generate(request, stop);
  if (said.outcome.result == Result::kStopped) return std::nullopt;
  if (said.outcome.result == Result::kHopeless) throw server_.hopeless(said.outcome);
  Answer answer;
  answer.seconds = said.seconds;
  answer.failure = failure_of(said, request);
  if (said.outcome.result != Result::kAnswered) return answer;
  answer.computed_tokens = tokens_of(said, request);
  tokens_ += answer.computed_tokens;
  if (answer.failure) return answer;
  answer.text = server_.hide(said.reader.text());
  answer.answered_by = said.reader.model();
  answer.hit_limit = said.reader.hit_limit();
  const bool is_probed = is_asked_twice(request.ids, config().cache_probe);
  if (is_probed) ask_again(answer, said, request, stop);
  if (wants_score(request)) {
    if (const auto scored = score(said, request, stop)) {
      answer.log_prob = scored->log_prob;
      answer.rank = scored->rank;
    }
  } else if (!is_probed) {
    return answer;
  }
  // After a stop, parts may be missing for that reason alone.
  return stop.stop_requested() ? std::nullopt : std::optional(std::move(answer));
}

bool Asker::wants_score(const Request& request) const {
  return config().log_probs != "none" && !request.expected_ids.empty() && tells_scores_;
}

std::optional<Failure> Asker::failure_of(const Generated& generated, const Request& request) {
  if (generated.outcome.result == Result::kRefused)
    return Failure{"refused", with_tries(generated.outcome)};
  if (generated.outcome.result != Result::kAnswered)
    return Failure{"failed", with_tries(generated.outcome)};
  learn(generated);
  if (auto failure = check_count(generated, request)) return failure;
  if (auto failure = check_text(generated, request)) return failure;
  return check_room(generated, request);
}

/// Remembers what an answer tells about the server besides its text.
void Asker::learn(const Generated& generated) {
  const AnswerReader& reader = generated.reader;
  watch(model_, reader.model(), "model");
  watch(system_fingerprint_, reader.system_fingerprint(), "system_fingerprint");
  if (reader.prompt_tokens() || !generated.is_to_its_end) return;
  tells_count_ = false;
  warn_once("count",
            "the server does not say how many tokens it read: a prompt that it cut would go "
            "unnoticed");
}

void Asker::watch(std::string& known, const std::string& told, const char* what) {
  std::string before;
  {
    const std::lock_guard guard(lock_);
    if (known.empty()) known = told;
    before = known;
  }
  if (told.empty() || told == before) return;
  warn_once(what, fmt::format("its answers had the {} '{}' and now have '{}': something else may "
                              "answer than when the run began",
                              what, before, told));
}

/// The failure if the server did not read exactly what it was sent.
std::optional<Failure> Asker::check_count(const Generated& generated, const Request& request) {
  const auto told = generated.reader.prompt_tokens();
  if (!told) return std::nullopt;
  const std::int64_t ids = std::ssize(request.ids);
  // The server may add a BOS token to a text or not; to a chat it adds a frame of any size.
  std::int64_t least = ids;
  if (generated.form == Form::kText) least = ids - 1;
  if (generated.form == Form::kChat && *told < ids)
    least = tokenizer_->count(std::get<Chat>(generated.prompt).question);
  if (*told < least)
    return Failure{"cut", fmt::format("the server read {} tokens of a prompt of {}", *told,
                                      generated.form == Form::kChat ? least : ids)};
  if (generated.form == Form::kIds && *told > ids)
    return Failure{"failed",
                   fmt::format("the server read {} tokens where {} ids were sent: it adds some of "
                               "its own; `prompts: text` sends text instead",
                               *told, ids)};
  if (generated.form == Form::kText && *told > ids + 1)
    warn_once("tokenizer", fmt::format("it reads a prompt of {} tokens as {}: its tokenizer is "
                                       "another one than the config names",
                                       ids, *told));
  std::int64_t longest = read_whole_;
  while (longest < ids && !read_whole_.compare_exchange_weak(longest, ids)) {
  }
  return std::nullopt;
}

/// The failure if the answer had less room than was asked for. When the server gives no count, our
/// own must leave no doubt.
std::optional<Failure> Asker::check_room(const Generated& generated, const Request& request) const {
  const AnswerReader& reader = generated.reader;
  if (!reader.hit_limit()) return std::nullopt;
  constexpr std::int64_t kDoubt = 2;
  const auto told = reader.completion_tokens();
  const std::int64_t said = told ? *told : tokenizer_->count(reader.text());
  if (told ? !reader.ran_out_of_context() : kDoubt * said + kDoubt >= request.room())
    return std::nullopt;
  return Failure{"cut", fmt::format("the server ended the answer for want of room after {} of {} "
                                    "tokens: its context is full",
                                    said, request.room())};
}

/// The failure if the text cannot be an answer. A server that sends the prompt back, with the
/// needle in it, would seem to find everything.
std::optional<Failure> Asker::check_text(const Generated& generated, const Request& request) const {
  const std::string& text = generated.reader.text();
  constexpr std::int64_t kDoubt = 2, kAlways = 64;
  if (std::ssize(text) > kDoubt * request.room() + kAlways) {
    const std::int64_t tokens = tokenizer_->count(text);
    if (tokens > kDoubt * request.room() + kAlways)
      return Failure{"failed",
                     fmt::format("the server sent {} tokens where {} were asked for: does "
                                 "it send the prompt back?",
                                 tokens, request.room())};
  }
  constexpr std::size_t kTelling = 100;
  if (!generated.reader.is_decided() || text.size() < kTelling || !request.text)
    return std::nullopt;
  const std::string prompt = generated.form == Form::kChat ? request.question() : request.text();
  const auto begin_of = [](std::string_view of) {
    return of.substr(std::min(of.find_first_not_of(" \t\r\n"), of.size()), kTelling);
  };
  if (begin_of(text).size() < kTelling || begin_of(text) != begin_of(prompt)) return std::nullopt;
  return Failure{"failed",
                 "the answer begins as the prompt does: the server sends the prompt back, and what "
                 "it holds is no answer"};
}

std::int64_t Asker::tokens_of(const Generated& generated, const Request& request) const {
  const AnswerReader& reader = generated.reader;
  const std::int64_t said =
      reader.completion_tokens() ? *reader.completion_tokens() : tokenizer_->count(reader.text());
  return reader.prompt_tokens().value_or(std::ssize(request.ids)) + said;
}

void Asker::ask_again(Answer& answer, const Generated& first, const Request& request,
                      const std::stop_token& stop) {
  Generated second{.form = first.form};
  generate_as(second, request, stop);
  if (second.outcome.result == Result::kStopped || second.outcome.result == Result::kHopeless)
    return;
  if (const auto failure = failure_of(second, request)) {
    answer.again_failed = failure->detail;
    warn_once("probe",
              fmt::format("a prompt that it had answered was asked again (cache_probe) and "
                          "had no answer to compare: {}",
                          failure->detail));
    return;
  }
  tokens_ += tokens_of(second, request);
  answer.same_again = are_alike(first.reader, second.reader);
}

std::optional<ExpectedScore> Asker::score(const Generated& generated, const Request& request,
                                          const std::stop_token& stop) {
  constexpr std::size_t kBytesAToken = 1024;
  const Expected expected{request.expected_ids, request.expected_text};
  const std::string& how = config().log_probs;
  HttpRequest http =
      server_.request(endpoint(), scoring_body(addressee(), generated.prompt, expected, how), stop);
  http.most_bytes = kMegabyte + kBytesAToken * request.ids.size();
  std::optional<ExpectedScore> score;
  std::string reason;
  const Outcome outcome = server_.ask(
      [&](HttpClient& client) {
        const HttpResponse response = client.send(http);
        const Outcome judged = judge(response, server_.hiding());
        if (judged.result != Result::kAnswered) return judged;
        const std::lock_guard guard(scoring_);
        try {
          score = parse_score(response.body, generated.prompt, expected, how, server_.hiding());
        } catch (const BadAnswer& bad) {
          reason = bad.what();
        }
        return judged;
      },
      stop);
  if (score) has_scored_ = true;
  if (score || outcome.result == Result::kStopped) return score;
  if (outcome.result != Result::kAnswered) reason = with_tries(outcome);
  // Asking for scores costs as much as the answer itself.
  constexpr int kPatience = 3;
  if (outcome.result == Result::kRefused || (!has_scored_ && ++unscored_ >= kPatience))
    tells_scores_ = false;
  warn_once("scores", fmt::format("no log-probability of the expected answer by `log_probs: {}`, "
                                  "which is left out: {}",
                                  how, server_.hide(reason)));
  return score;
}

}  // namespace niah::served
