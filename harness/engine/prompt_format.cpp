#include "harness/engine/prompt_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "tasks/sample.h"
#include "tasks/scoring.h"

namespace niah {
namespace {

constexpr std::string_view kTurnEnd = "<|im_end|>";

std::string chatml_turn(std::string_view role, std::string_view text) {
  return fmt::format("<|im_start|>{}\n{}{}\n", role, text, kTurnEnd);
}

}  // namespace

PromptFormat::PromptFormat(const SweepConfig& sweep, const models::Tokenizer& tokenizer)
    : config_(sweep.prompt),
      max_thinking_tokens_(sweep.generation.max_thinking_tokens),
      tokenizer_(&tokenizer) {
  const std::string framed = frame("A", "B");
  if (tasks::is_thinking(frame("A", ""))) open_thought_ = "<think>";
  const auto& bos = tokenizer.prefix_ids();
  const auto ids = with_bos_policy(tokenizer.encode_prompt(framed));
  if (config_.bos && !bos.empty() && ids.size() > bos.size() &&
      std::equal(bos.begin(), bos.end(), ids.begin() + static_cast<std::ptrdiff_t>(bos.size())))
    throw UsageError(
        "prompt: the text begins with the BOS token that the tokenizer puts in front of every "
        "prompt, so it would appear twice; take it out of the prefix, or set prompt.bos: false");
  overhead_ = max_thinking_tokens_ +
              std::max<std::int64_t>(0, sweep.generation.max_new_tokens - tasks::kGenerationTokens);
  if (is_raw() && config_.answer_prefix && max_thinking_tokens_ == 0) return;
  const std::int64_t frame_tokens =
      static_cast<std::int64_t>(ids.size()) - tokenizer.count_prompt("A B");
  overhead_ += std::max<std::int64_t>(0, frame_tokens);
  if (config_.format != "chatml") return;
  const auto end = tokenizer.encode(kTurnEnd);
  if (end.size() == 1) stop_ids_.push_back(end.front());
}

std::string PromptFormat::frame(std::string_view question, std::string_view answer_prefix,
                                std::string_view delimiter) const {
  const std::string_view start = config_.answer_prefix ? answer_prefix : std::string_view();
  if (config_.format == "raw")
    return start.empty() ? std::string(question)
                         : fmt::format("{}{}{}", question, delimiter, start);
  if (config_.format == "custom")
    return fmt::format("{}{}{}{}", config_.prefix, question, config_.suffix, start);
  return fmt::format("{}{}<|im_start|>assistant\n{}",
                     config_.system.empty() ? "" : chatml_turn("system", config_.system),
                     chatml_turn("user", question), start);
}

std::vector<models::TokenId> PromptFormat::with_bos_policy(std::vector<models::TokenId> ids) const {
  const auto count = static_cast<std::ptrdiff_t>(tokenizer_->prefix_ids().size());
  if (!config_.bos) ids.erase(ids.begin(), ids.begin() + count);
  return ids;
}

std::string PromptFormat::description() const {
  if (is_raw() && config_.answer_prefix && config_.bos && max_thinking_tokens_ == 0) return "raw";
  return fmt::format(
      "{}, answer prefix {}, BOS {}, {} thinking tokens, system `{}`, prefix `{}`, "
      "suffix `{}`",
      config_.format, config_.answer_prefix ? "given" : "left out",
      config_.bos ? "as the tokenizer puts it" : "left out", max_thinking_tokens_, config_.system,
      config_.prefix, config_.suffix);
}

}  // namespace niah
