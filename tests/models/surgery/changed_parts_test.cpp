#include "models/surgery/changed_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <functional>

#include "harness/base/error.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "models/surgery/restore.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

/// A golden checkpoint, and a copy in which some tensors are changed.
class ChangedPartsTest : public testing::Test {
 protected:
  explicit ChangedPartsTest() : pre_(test_data() / "models/hypenet-flags") {}

  void change(const std::function<bool(const std::string&)>& is_changed) {
    std::filesystem::create_directories(post_);
    std::filesystem::copy_file(pre_ / "config.json", post_ / "config.json");
    WeightMap weights = load_weights(std::make_shared<Checkpoint>(pre_), at::kFloat);
    for (auto& [name, tensor] : weights)
      if (is_changed(name)) tensor = tensor + 1;
    save_weights(post_ / "model.safetensors", weights, {{"format", "pt"}});
  }
  static std::vector<std::string> words(const std::vector<RestoreOptions>& restorations) {
    std::vector<std::string> texts;
    for (const RestoreOptions& options : restorations)
      texts.push_back(options.method == RestoreMethod::kParts
                          ? parts_in_words(options)
                          : restore_method_name(options.method));
    return texts;
  }
  /// Each part alone, then everything but each.
  std::vector<RestoreOptions> distinct() const {
    ChangedParts parts(pre_, post_);
    std::vector<RestoreOptions> all = parts.alone();
    for (RestoreOptions& rest : parts.all_but()) all.push_back(std::move(rest));
    return all;
  }

  static RestoreOptions these(std::set<WeightPart> parts) {
    return {.method = RestoreMethod::kParts, .parts = std::move(parts)};
  }

  TemporaryFolder temporary_;
  std::filesystem::path pre_, post_ = temporary_.path() / "post";
};

TEST_F(ChangedPartsTest, AreAskedAloneAndLeftOut) {
  change([](const std::string& name) {
    return name.find("layers.1.self_attn.q_proj") != name.npos ||
           name.find("layers.1.self_attn.k_proj") != name.npos || name.find(".mlp.") != name.npos;
  });
  // Everything but q and k is the MLPs alone, and everything but the MLPs is q and k.
  EXPECT_THAT(words(distinct()),
              ElementsAre("qk", "parts q", "parts k", "parts mlp", "all but q", "all but k"));
}

TEST_F(ChangedPartsTest, OneAloneIsTheWholeFineTune) {
  change([](const std::string& name) { return name.find(".mlp.") != name.npos; });
  EXPECT_THAT(distinct(), IsEmpty());
  const auto layers = ChangedParts(pre_, post_).by_layer({WeightPart::kMlp});
  ASSERT_EQ(layers.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(layers[i].layers, std::vector<std::int64_t>{static_cast<std::int64_t>(i)});
}

TEST_F(ChangedPartsTest, OfEverythingNoTwoGiveTheSameWeights) {
  change([](const std::string&) { return true; });
  const auto restorations = distinct();
  EXPECT_GT(restorations.size(), 10U);
  const auto model = load_model(post_, at::kFloat);
  const WeightMap before = load_weights(std::make_shared<Checkpoint>(pre_), at::kFloat);
  const WeightMap after = load_weights(std::make_shared<Checkpoint>(post_), at::kFloat);
  std::vector<WeightMap> all = {before, after};
  for (const RestoreOptions& options : restorations)
    all.push_back(restore(before, after, model->info(), options));
  const auto are_same = [](const WeightMap& a, const WeightMap& b) {
    return std::ranges::all_of(
        a, [&](const auto& item) { return at::equal(item.second, b.at(item.first)); });
  };
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(are_same(all[i], all[j])) << i << " " << j;
}

TEST_F(ChangedPartsTest, AreAddedToThoseChosen) {
  change([](const std::string& name) {
    return name.find("self_attn") != name.npos || name.find(".mlp.") != name.npos ||
           name.find("embed_tokens") != name.npos;
  });
  ChangedParts parts(pre_, post_);
  parts.alone();
  const auto more = words(parts.one_more(these({WeightPart::kMlp})));
  EXPECT_THAT(more, Contains("parts q, k, mlp"));
  EXPECT_THAT(more, Contains("parts q, mlp"));
  EXPECT_THAT(more, Contains("parts mlp, embedding"));
  EXPECT_THAT(more, Not(Contains("parts mlp"))) << "it was asked";
  EXPECT_THAT(words(parts.one_more(these({WeightPart::kMlp}))), IsEmpty()) << "they were listed";
  EXPECT_THAT(words(parts.one_more(these({WeightPart::kMlp, WeightPart::kQuery}))),
              Not(Contains("parts q, k, mlp")));
}

TEST_F(ChangedPartsTest, ThatAreKnownAreNotListed) {
  change([](const std::string& name) {
    return name.find("self_attn") != name.npos || name.find(".mlp.") != name.npos;
  });
  ChangedParts parts(pre_, post_);
  parts.know({.method = RestoreMethod::kV});
  parts.know({.method = RestoreMethod::kParts, .parts = {WeightPart::kMlp}});
  parts.know({.method = RestoreMethod::kQkPro});
  parts.know({.method = RestoreMethod::kK, .alpha = 0.5});
  const auto alone = words(parts.alone());
  EXPECT_THAT(alone, Not(Contains("parts v")));
  EXPECT_THAT(alone, Not(Contains("parts mlp")));
  EXPECT_THAT(alone, Contains("qk"));
  EXPECT_THAT(alone, Contains("parts k"));
}

TEST_F(ChangedPartsTest, WhatTheModelLacksIsRefused) {
  change([](const std::string& name) { return name.find(".mlp.") != name.npos; });
  EXPECT_THAT(
      refusal_of<UsageError>([&] { ChangedParts(pre_, post_).by_layer({WeightPart::kExperts}); }),
      testing::HasSubstr("no part 'experts'"));
}

}  // namespace
}  // namespace niah::models
