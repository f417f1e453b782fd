// A fixture with an engine that asks the test server, using a byte tokenizer.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/engine/served/openai_engine.h"
#include "tests/harness/engine/served/misbehaving_server.h"
#include "tests/harness/engine/served/openai_replies.h"

namespace niah::served {

/// A token for each byte, one that ends a text and one that ends a turn.
class ByteTokenizer : public models::Tokenizer {
 public:
  static constexpr models::TokenId kEnd = 256, kTurnEnd = 257;

  std::vector<models::TokenId> encode(std::string_view text) const override {
    std::vector<models::TokenId> ids;
    for (std::size_t at = 0; at < text.size();) {
      const auto special = std::find_if(marks_.begin(), marks_.end(), [&](const auto& mark) {
        return text.substr(at).starts_with(mark.second);
      });
      const bool is_special = special != marks_.end();
      ids.push_back(is_special ? special->first : static_cast<unsigned char>(text[at]));
      at += is_special ? special->second.size() : 1;
    }
    return ids;
  }
  bool is_seam_exact(std::string_view, std::string_view) const override { return false; }
  std::string decode(const std::vector<models::TokenId>& ids) const override {
    std::string text;
    for (const models::TokenId id : ids)
      text += id < kEnd ? std::string(1, static_cast<char>(id)) : marks_.at(id);
    return text;
  }
  bool knows(models::TokenId id) const override { return id >= 0 && id <= kTurnEnd; }
  std::int64_t vocab_size() const override { return kTurnEnd + 1; }
  const std::vector<models::TokenId>& prefix_ids() const override { return none_; }
  const std::vector<models::TokenId>& suffix_ids() const override { return none_; }
  std::optional<models::TokenId> eos_id() const override { return kEnd; }
  std::string description() const override { return "bytes"; }
  std::string sha256() const override { return "bytes"; }

 private:
  std::map<models::TokenId, std::string> marks_{{kEnd, "<|end|>"}, {kTurnEnd, "<|im_end|>"}};
  std::vector<models::TokenId> none_;
};

/// Pace settings with pauses of milliseconds, so that tests are fast.
inline PaceSettings quick() {
  return {.first_pause = 0.001,
          .longest_pause = 0.004,
          .longest_retry_after = 0.02,
          .between_halvings = 0,
          .jitter = [] { return 1.0; }};
}

/// Asks a test server of the given behaviour.
class ServedEngineTest : public testing::Test {
 public:
  static constexpr const char* kValue = "1234567";

  /// A request to find the value in a prompt that ends in `name`.
  static Request request(const std::string& name = "1") {
    const std::string prompt = "The value is 1234567. What is the value? " + name;
    Request request;
    for (const char byte : prompt) request.ids.push_back(static_cast<unsigned char>(byte));
    request.text = [prompt] { return prompt; };
    request.question = [prompt] { return prompt; };
    request.expected_text = " 1234567";
    for (const char byte : request.expected_text)
      request.expected_ids.push_back(static_cast<unsigned char>(byte));
    request.max_new_tokens = 50;
    request.stop_ids = {ByteTokenizer::kTurnEnd, ByteTokenizer::kEnd};
    request.is_decided = [](std::string_view text) {
      return text.find(kValue) != std::string_view::npos;
    };
    request.variants = {0};
    return request;
  }
  static std::vector<Request> requests(int count) {
    std::vector<Request> all;
    for (int i = 0; i < count; ++i) all.push_back(request(std::to_string(i)));
    return all;
  }

 protected:
  static constexpr const char* kKey = "key-that-nobody-may-see";

  static std::int64_t size_of(const Request& request) { return std::ssize(request.ids); }

  void serve(Behaviour behaviour) {
    server_.emplace(std::move(behaviour));
    config_.url = server_->url();
    config_.model = "m";
    config_.timeout = 20;
    config_.retries = 2;
  }
  OpenAiEngine& engine() {
    if (!engine_)
      engine_.emplace(
          config_, kKey, tokenizer_,
          [this](const std::string& text) {
            const std::lock_guard guard(lock_);
            warnings_.push_back(text);
          },
          pace_);
    return *engine_;
  }
  /// The answers in the order of the requests; "-" is the text of those that were not given.
  std::vector<Answer> ask(std::vector<Request> all, const std::stop_token& stop = {}) {
    std::vector<Answer> answers(all.size(), Answer{.id = {}, .text = "-"});
    RequestList list{.group = 0, .requests = std::move(all), .stop = stop};
    engine().answer(std::move(list), [&](const Answer& answer) {
      const std::lock_guard guard(lock_);
      EXPECT_EQ(answers.at(answer.id.request).text, "-") << "given twice";
      EXPECT_EQ(answer.id.variant, 0U);
      answers[answer.id.request] = answer;
    });
    return answers;
  }
  Answer ask_one(const Request& one = request()) { return ask({one}).front(); }
  /// The message of the DataError that asking one request throws, or "no error".
  std::string error_of_asking() {
    try {
      ask_one();
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }
  const models::Tokenizer& tokenizer() const { return tokenizer_; }
  MisbehavingServer& server() { return *server_; }
  std::vector<std::string> warnings() const {
    const std::lock_guard guard(lock_);
    return warnings_;
  }

  ServedConfig config_;
  PaceSettings pace_ = quick();

 private:
  ByteTokenizer tokenizer_;
  std::optional<MisbehavingServer> server_;
  mutable std::mutex lock_;
  std::vector<std::string> warnings_;
  std::optional<OpenAiEngine> engine_;
};

}  // namespace niah::served
