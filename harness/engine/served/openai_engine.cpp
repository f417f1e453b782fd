#include "harness/engine/served/openai_engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "harness/engine/served/asker.h"
#include "harness/engine/served/request_order.h"

namespace niah::served {
namespace {

/// Asks a list, with as many threads as requests may be in flight.
class ListRun {
 public:
  ListRun(RequestList list, Asker& asker, const AnswerSink& sink)
      : list_(std::move(list)),
        asker_(&asker),
        sink_(&sink),
        order_(order_of(list_.requests, asker.config().order)) {}

  /// Throws the first error of a thread.
  void run() {
    const std::stop_callback stop(list_.stop, [this] { halt_.request_stop(); });
    {
      std::vector<std::jthread> threads;
      start(threads);
      wait();
    }
    if (failure_) std::rethrow_exception(failure_);
    stop_if_interrupted();
  }

 private:
  void start(std::vector<std::jthread>& threads) {
    const auto wanted = std::min<std::size_t>(
        order_.size(),
        static_cast<std::size_t>(std::max<std::int64_t>(1, asker_->config().concurrency)));
    try {
      while (threads.size() < wanted) {
        {
          const std::lock_guard guard(lock_);
          ++working_;
        }
        threads.emplace_back([this] { work(); });
      }
    } catch (const std::system_error& error) {  // no more threads to be had: go on with these
      leave();
      if (threads.empty())
        throw DataError(std::string("asking a server: no thread could be started: ") +
                        error.what());
    }
  }

  /// Waits until no thread is at work, and looks for a signal, which does not wake a waiting
  /// thread.
  void wait() {
    constexpr std::chrono::milliseconds kLook{50};
    std::unique_lock guard(lock_);
    while (!idle_.wait_for(guard, kLook, [this] { return working_ == 0; }))
      if (interrupt_requested()) halt_.request_stop();
  }

  void work() {
    try {
      while (!halt_.stop_requested()) {
        const std::size_t place = next_++;
        if (place >= order_.size()) break;
        answer(order_[place]);
      }
    } catch (...) {
      const std::lock_guard guard(lock_);
      if (!failure_) failure_ = std::current_exception();
      halt_.request_stop();
    }
    leave();
  }

  void leave() {
    const std::lock_guard guard(lock_);
    --working_;
    idle_.notify_all();
  }

  void answer(std::size_t place) {
    const Request& request = list_.requests[place];
    if (request.variants.empty()) return;
    std::optional<Answer> answer = refusal();
    if (!answer) answer = asker_->ask(request, halt_.get_token());
    if (!answer) return;
    if (answer->failure && answer->failure->outcome == "refused") refuse(*answer->failure);
    for (const std::size_t variant : request.variants) {
      answer->id = {place, variant};
      (*sink_)(*answer);
    }
  }

  /// After a refusal, the answer to requests that are no longer sent; nullopt before.
  std::optional<Answer> refusal() {
    const std::lock_guard guard(lock_);
    if (!refused_) return std::nullopt;
    return Answer{.id = {},
                  .failure = Failure{"refused", "not asked, after another prompt of this list: " +
                                                    refused_->detail}};
  }
  void refuse(const Failure& failure) {
    const std::lock_guard guard(lock_);
    if (!refused_) refused_ = failure;
  }

  RequestList list_;
  Asker* asker_;
  const AnswerSink* sink_;
  std::vector<std::size_t> order_;
  std::atomic<std::size_t> next_ = 0;
  std::stop_source halt_;  ///< abandons what is in flight
  std::mutex lock_;
  std::condition_variable idle_;
  std::size_t working_ = 0;  ///< threads
  std::optional<Failure> refused_;
  std::exception_ptr failure_;
};

}  // namespace

OpenAiEngine::OpenAiEngine(ServedConfig config, std::string key, const models::Tokenizer& tokenizer,
                           Warn warn, PaceSettings pace)
    : asker_(std::make_unique<Asker>(std::move(config), std::move(key), tokenizer, std::move(warn),
                                     std::move(pace))) {}

OpenAiEngine::~OpenAiEngine() = default;

Capabilities OpenAiEngine::capabilities() const {
  // Two, so that the next list fills the places in flight that a list leaves free towards its end.
  constexpr std::int64_t kLists = 2;
  return {.takes_token_ids = asker_->takes_ids(),
          .gives_log_probs = asker_->config().log_probs != "none",
          .shares_prefixes = false,
          .is_deterministic = false,
          .uses_own_memory = false,
          .lists_at_once = kLists};
}

std::string OpenAiEngine::activity() const { return asker_->activity(); }

void OpenAiEngine::answer(RequestList list, const AnswerSink& sink) {
  check(list.group == 0, "a served model is one group");
  ListRun(std::move(list), *asker_, sink).run();
}

}  // namespace niah::served
