#include "models/tokenizer/pre_tokenizer.h"

namespace niah::models {

PreTokenizer::PreTokenizer(const JsonView& json) {
  if (json.at("type").string() == "Sequence") {
    for (const JsonView& step : json.at("pretokenizers").elements()) add_step(step);
  } else {
    add_step(json);
  }
  if (!byte_level_) json.fail("has no ByteLevel step, expected a byte-level BPE tokenizer");
}

PreTokenizer::PreTokenizer(const WordPattern& pattern, bool add_prefix_space)
    : add_prefix_space_(add_prefix_space), byte_level_(true) {
  steps_.push_back(make_split_step(pattern));
}

void PreTokenizer::add_step(const JsonView& json) {
  if (byte_level_) json.fail("follows ByteLevel, expected ByteLevel to be the last step");
  const std::string& type = json.at("type").string();
  if (type == "ByteLevel") return add_byte_level(json);
  if (type == "Split" || type == "Digits") {
    steps_.push_back(make_split_step(json));
    return;
  }
  json.at("type").fail("is \"" + type + "\", supported are ByteLevel, Digits, Sequence and Split");
}

void PreTokenizer::add_byte_level(const JsonView& json) {
  byte_level_ = true;
  add_prefix_space_ = json.boolean_or("add_prefix_space", true);
  if (add_prefix_space_ && !steps_.empty()) {
    json.at("add_prefix_space")
        .fail("is true after another step (a space before every piece), which is not supported");
  }
  if (json.boolean_or("use_regex", true)) steps_.push_back(make_split_step(kGpt2Pattern));
}

std::vector<std::size_t> PreTokenizer::word_ends(std::string_view text) const {
  constexpr std::size_t kBytesPerWord = 4;
  std::vector<std::size_t> ends;
  ends.reserve(text.size() / kBytesPerWord + 1);
  if (steps_.empty()) {
    if (!text.empty()) ends.push_back(text.size());
    return ends;
  }
  steps_.front()->append_ends(text, 0, ends);
  for (std::size_t i = 1; i < steps_.size(); ++i) {
    std::vector<std::size_t> finer;
    finer.reserve(ends.size() * 2);
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      steps_[i]->append_ends(text.substr(begin, end - begin), begin, finer);
      begin = end;
    }
    ends = std::move(finer);
  }
  return ends;
}

bool PreTokenizer::parts(char32_t before, char32_t after) const {
  return !add_prefix_space_ && steps_.size() == 1 && steps_.front()->parts(before, after);
}

}  // namespace niah::models
