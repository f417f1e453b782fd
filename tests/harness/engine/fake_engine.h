// A fake engine that gives the answers a test scripts.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "harness/engine/engine.h"
#include "harness/run/opened_engine.h"

namespace niah {

/// Logs what a fake engine is asked. Thread-safe.
class FakeLog {
 public:
  /// One answer() call.
  struct Call {
    std::size_t group = 0, requests = 0;
    bool is_alone = false;
  };
  void add(const Call& call) {
    const std::lock_guard guard(lock_);
    calls_.push_back(call);
  }
  void add_answer() {
    const std::lock_guard guard(lock_);
    ++answers_;
  }
  std::vector<Call> calls() const {
    const std::lock_guard guard(lock_);
    return calls_;
  }
  int answers() const {
    const std::lock_guard guard(lock_);
    return answers_;
  }

 private:
  mutable std::mutex lock_;
  std::vector<Call> calls_;
  int answers_ = 0;
};

/// The request that a script answers.
struct Asked {
  const RequestList& list;
  const Request& request;
  AnswerId id;
};
/// Gives a fake engine's answer to a request. Called from any thread; may wait or throw.
using Script = std::function<Answer(const Asked&)>;

/// The expected answer, as given by a model that found the needle.
inline Answer right(const Asked& asked) {
  return {.id = asked.id,
          .text = asked.request.expected_text,
          .ids = asked.request.expected_ids,
          .log_prob = -0.5,
          .rank = 1,
          .computed_tokens = 7};
}
/// An answer without any value.
inline Answer wrong(const Asked& asked) { return {.id = asked.id, .text = " nothing of the kind"}; }
/// A failure in place of an answer.
inline Answer failed(const Asked& asked, const std::string& outcome, const std::string& detail,
                     bool is_worth_another_try = false) {
  return {.id = asked.id, .failure = Failure{outcome, detail, is_worth_another_try}};
}

/// Answers one request after another by its script.
class FakeEngine : public Engine {
 public:
  FakeEngine(const Capabilities& capabilities, Script script, std::shared_ptr<FakeLog> log)
      : capabilities_(capabilities), script_(std::move(script)), log_(std::move(log)) {}

  Capabilities capabilities() const override { return capabilities_; }
  void answer(RequestList list, const AnswerSink& sink) override {
    log_->add({list.group, list.requests.size(), list.is_alone});
    for (std::size_t i = 0; i < list.requests.size(); ++i)
      for (const std::size_t variant : list.requests[i].variants) {
        if (list.stop.stop_requested()) return;
        sink(script_({list, list.requests[i], {i, variant}}));
        log_->add_answer();
      }
  }

 private:
  Capabilities capabilities_;
  Script script_;
  std::shared_ptr<FakeLog> log_;
};

/// The properties of one fake engine.
struct FakeSpec {
  /// Names of its variants by group; all are of model "m".
  std::vector<std::vector<std::string>> groups;
  Script script = right;
  Capabilities capabilities{};
  std::vector<std::string> warnings{};
  std::shared_ptr<FakeLog> log = std::make_shared<FakeLog>();
};

/// Opens fake engines; every cost of reading a token is 1.
class FakeOpener : public EngineOpener {
 public:
  explicit FakeOpener(std::vector<FakeSpec> specs) : specs_(std::move(specs)) {}

  void describe(reports::RunInfo& info) const override { info.machine = "made up"; }
  std::vector<OpenedEngine> open(const WorkList&, const std::string&) const override {
    std::vector<OpenedEngine> engines;
    for (const FakeSpec& spec : specs_) {
      OpenedEngine& opened = engines.emplace_back();
      opened.engine = std::make_unique<FakeEngine>(spec.capabilities, spec.script, spec.log);
      opened.warnings = spec.warnings;
      for (const std::vector<std::string>& names : spec.groups) {
        AskedGroup& group = opened.groups.emplace_back();
        for (const std::string& name : names)
          group.variants.push_back({"fingerprint-" + name, "m", name, ""});
        group.cost = {[](auto begin, auto end) { return static_cast<double>(end - begin); },
                      [](auto begin, auto end, auto) { return static_cast<double>(end - begin); },
                      static_cast<std::int64_t>(names.size())};
        opened.variants.insert(opened.variants.end(), group.variants.begin(), group.variants.end());
      }
    }
    return engines;
  }

 private:
  std::vector<FakeSpec> specs_;
};

}  // namespace niah
