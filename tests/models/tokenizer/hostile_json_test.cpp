// Untrusted tokenizer files give one clear line of error, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <random>

#include "harness/base/error.h"
#include "harness/base/utf8.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/tokenizer_json.h"
#include "tests/models/tokenizer/cases.h"
#include "tests/temporary_folder.h"
#include "tests/with_edits.h"

namespace niah::models {
namespace {

using nlohmann::json;

const std::filesystem::path kFile = "given/tokenizer.json";

/// A minimal valid file: the bytes, two merges, one special token, and every kind of step.
json small_tokenizer() {
  json vocab = json::object();
  for (unsigned byte = 0; byte < 256; ++byte) vocab[byte_symbol(byte)] = byte;
  vocab["th"] = 256;
  vocab["the"] = 257;
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens",
       {{{"id", 258},
         {"content", "<e>"},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", true}}}},
      {"normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}}},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Digits"}, {"individual_digits", true}},
          {{"type", "Split"},
           {"pattern", {{"Regex", "\\s+|\\p{L}+"}}},
           {"behavior", "Isolated"},
           {"invert", false}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}}}}},
      {"post_processor",
       {{"type", "Sequence"},
        {"processors",
         {{{"type", "ByteLevel"}},
          {{"type", "TemplateProcessing"},
           {"single",
            {{{"SpecialToken", {{"id", "<e>"}, {"type_id", 0}}}},
             {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
           {"special_tokens", {{"<e>", {{"id", "<e>"}, {"ids", {258}}, {"tokens", {"<e>"}}}}}}}}}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", true},
        {"vocab", vocab},
        {"merges", {{"t", "h"}, "th e"}}}}};
}

/// Loads the tokenizer in `text` and, if it is valid, uses it; sets `sound` to whether it was.
/// Otherwise expects a DataError with one line of valid UTF-8.
void load_and_use(std::string_view text, bool* sound = nullptr) {
  if (sound != nullptr) *sound = false;
  try {
    const auto tokenizer = parse_tokenizer_json(text, {}, kFile);
    const auto ids = tokenizer->encode_prompt("the 12 th\u00e9 <e> e\u0301");
    tokenizer->decode(ids);
    if (sound != nullptr) *sound = true;
  } catch (const DataError& error) {
    const std::string message = error.what();
    ASSERT_THAT(message, testing::HasSubstr(kFile.string()));
    ASSERT_EQ(message.find('\n'), std::string::npos) << message;
    ASSERT_EQ(find_invalid_utf8(message), std::string::npos) << message;
    ASSERT_LT(message.size(), 2000u);
  }
}

TEST(HostileJson, TheUnchangedFileLoads) {
  const auto tokenizer = parse_tokenizer_json(small_tokenizer().dump(), {}, kFile);
  EXPECT_THAT(tokenizer->encode_prompt("the1"), testing::ElementsAre(258, 257, '1'));
}

std::vector<json*> all_nodes(json& root, std::size_t limit) {
  std::vector<json*> nodes = {&root};
  for (std::size_t i = 0; i < nodes.size() && nodes.size() < limit; ++i) {
    if (!nodes[i]->is_structured()) continue;
    for (auto& child : *nodes[i]) nodes.push_back(&child);
  }
  return nodes;
}

TEST(HostileJson, AnyNodeMayBeAnything) {
  const std::vector<json> values = {nullptr,
                                    true,
                                    -1,
                                    0,
                                    1e300,
                                    4294967296u,
                                    std::uint64_t{1} << 63,
                                    "",
                                    "ByteLevel",
                                    "Sequence",
                                    std::string(1, '\0'),
                                    "[",
                                    json::array(),
                                    json::object(),
                                    {1, 2, 3},
                                    {{"type", "Sequence"}}};
  json document = small_tokenizer();
  for (json* node : all_nodes(document, 120)) {
    json kept = std::move(*node);  // the places of the nodes in it stay what they are
    for (const json& value : values) {
      *node = value;
      ASSERT_NO_FATAL_FAILURE(load_and_use(document.dump())) << document.dump();
    }
    *node = std::move(kept);
  }
}

TEST(HostileJson, AnyMemberMayBeMissing) {
  const json document = small_tokenizer();
  const json flat = document.flatten();
  int refused = 0;
  for (const auto& [pointer, value] : flat.items()) {
    const json::json_pointer at(pointer);
    for (auto up = at; !up.empty(); up = up.parent_pointer()) {
      if (pointer.starts_with("/model/vocab/") && up == at && value.get<int>() % 16 != 0) continue;
      json changed = document;
      auto& parent = changed[up.parent_pointer()];
      if (parent.is_object()) parent.erase(up.back());
      bool sound = true;
      ASSERT_NO_FATAL_FAILURE(load_and_use(changed.dump(), &sound)) << up;
      refused += sound ? 0 : 1;
      if (pointer.starts_with("/model/vocab/")) break;
    }
  }
  EXPECT_GT(refused, 20);
}

TEST(HostileJson, AnyBytesMayBeWrong) {
  const std::string text = small_tokenizer().dump();
  const std::vector<std::string> pieces = {"{", "}", "[", "]", "\"", ",", ":", "0", "\\"};
  std::mt19937 draw(21);
  for (int round = 0; round < 4000; ++round) {
    ASSERT_NO_FATAL_FAILURE(load_and_use(with_edits(text, draw, pieces, 8)));
  }
  for (std::size_t size = 0; size < text.size(); size += 13) {
    ASSERT_NO_FATAL_FAILURE(load_and_use(text.substr(0, size)));
  }
}

TEST(HostileJson, DeepNestingIsBounded) {
  constexpr int kDepth = 200'000;
  std::string arrays(kDepth, '[');
  bool sound = true;
  ASSERT_NO_FATAL_FAILURE(load_and_use(arrays + std::string(kDepth, ']'), &sound));
  EXPECT_FALSE(sound);
  for (const auto& [key, list] :
       {std::pair{"normalizer", "normalizers"}, std::pair{"post_processor", "processors"},
        std::pair{"decoder", "decoders"}}) {
    std::string nested;
    for (int i = 0; i < kDepth; ++i) {
      nested += std::string(R"({"type":"Sequence",")") + list + "\":[";
    }
    for (int i = 0; i < kDepth; ++i) nested += "]}";
    json document = small_tokenizer();
    document[key] = "HERE";
    std::string text = document.dump();
    text.replace(text.find("\"HERE\""), 6, nested);
    ASSERT_NO_FATAL_FAILURE(load_and_use(text, &sound));
    EXPECT_FALSE(sound) << key;
  }
}

struct Refusal {
  const char* pointer;
  json value;
  const char* reason;
};

void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.pointer << ": " << refusal.value;
}

class RefusedSetting : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedSetting, IsNamedWithItsPath) {
  json document = small_tokenizer();
  document[json::json_pointer(GetParam().pointer)] = GetParam().value;
  try {
    parse_tokenizer_json(document.dump(), {}, kFile);
    FAIL() << GetParam().pointer;
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().reason));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Settings, RefusedSetting,
    testing::Values(
        Refusal{"/normalizer/normalizers/0/type", "NFKC", "$.normalizer.normalizers[0].type"},
        Refusal{"/pre_tokenizer/pretokenizers/0/type", "Metaspace",
                "$.pre_tokenizer.pretokenizers[0].type is \"Metaspace\""},
        Refusal{"/pre_tokenizer/pretokenizers/1/behavior", "Removed", "behavior is \"Removed\""},
        Refusal{"/pre_tokenizer/pretokenizers/1/pattern/Regex", "\\bx", "pattern.Regex cannot be"},
        Refusal{"/pre_tokenizer/pretokenizers/1/pattern/Regex", "x*", "match the empty string"},
        Refusal{"/pre_tokenizer/pretokenizers/2/add_prefix_space", true,
                "add_prefix_space is true"},
        Refusal{"/pre_tokenizer", {{"type", "Digits"}}, "has no ByteLevel step"},
        Refusal{"/post_processor/processors/0/type", "Other", "processors[0].type"},
        Refusal{"/post_processor/processors/1/special_tokens/<e>/ids/0", 99999, "id 99999"},
        Refusal{"/decoder/type", "Metaspace", "$.decoder.type"},
        Refusal{"/decoder", nullptr, "$.decoder"},
        Refusal{"/truncation", 8, "$.truncation is 8, expected an object"},
        Refusal{"/padding", "x", "$.padding is"},
        Refusal{"/model/type", "Unigram", "$.model.type is \"Unigram\""},
        Refusal{"/model/dropout", 0.1, "$.model.dropout"},
        Refusal{"/model/byte_fallback", true, "$.model.byte_fallback"},
        Refusal{"/model/end_of_word_suffix", "</w>", "$.model.end_of_word_suffix"},
        Refusal{"/model/unk_token", "<none>", "<none>"},
        Refusal{"/model/vocab/th", 4194304, "$.model.vocab.th is 4194304"},
        Refusal{"/model/vocab/th", -3, "$.model.vocab.th is -3"},
        Refusal{"/model/vocab/th", 257, "id 257 stands for two tokens"},
        Refusal{"/model/merges/0", {"t", "zz"}, "needs the token \"zz\""},
        Refusal{"/model/merges/1", "t h e", "as merge 1"},
        Refusal{"/added_tokens/0/id", 7, "id 7, but its place in the vocabulary is 258"},
        Refusal{"/added_tokens/0/id", 259, "id 259, but its place in the vocabulary is 258"},
        Refusal{"/added_tokens/0/content", "", "added token is empty"},
        Refusal{"/added_tokens/0/content", "the", "its place in the vocabulary is 257"}),
    [](const auto& info) { return std::to_string(info.index); });

TEST(TokenizerConfig, DisagreementIsRefused) {
  const std::string text = small_tokenizer().dump();
  const auto with = [&](const std::string& config) {
    return parse_tokenizer_json(text, parse_tokenizer_config(config, "tokenizer_config.json"),
                                kFile);
  };
  EXPECT_EQ(with(R"({"eos_token":{"content":"<e>"}})")->eos_id(), 258);
  const auto more = with(R"({"added_tokens_decoder":{"259":{"content":"<f>","special":true}}})");
  EXPECT_THAT(more->encode("<f>"), testing::ElementsAre(259));
  for (const char* bad :
       {R"({"added_tokens_decoder":{"300":{"content":"<f>"}}})",
        R"({"added_tokens_decoder":{"259":{"content":"<e>"}}})",
        R"({"added_tokens_decoder":{"x":{"content":"<f>"}}})",
        R"({"added_tokens_decoder":{"259":7}})", R"({"eos_token":7})", "[]", "{"}) {
    EXPECT_THROW(with(bad), DataError) << bad;
  }
}

TEST(VocabAndMerges, BadLinesAreNamed) {
  const TemporaryFolder folder;
  folder.write("vocab.json", R"({"a":0,"b":1,"ab":2})");
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"GPT2Tokenizer"})");
  folder.write("merges.txt", "#version: 0.2\na b\na  b\n");
  try {
    open_tokenizer(folder.path());
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("line 3"));
  }
  folder.write("merges.txt", "#version: 0.2\r\na b\r\n");
  EXPECT_THAT(open_tokenizer(folder.path())->encode("ab"), testing::ElementsAre(2));
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"SomeTokenizer"})");
  EXPECT_THROW(open_tokenizer(folder.path()), DataError);
}

}  // namespace
}  // namespace niah::models
