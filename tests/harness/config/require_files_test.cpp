#include "harness/config/require_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "harness/base/error.h"
#include "tests/harness/config/demo_sweep.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RequireFiles : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"base", "sft", "lora"}) fs::create_directory(folder_.path() / name);
  }

  /// Why a sweep with these lines of its model is refused; "accepted" where it is not.
  std::string refusal(const std::string& model) const {
    const std::string text =
        "name: x\ntasks: s1\nlengths: 4K\nsamples: 1\nmodels:\n  - name: pair\n" + model;
    return refusal_of<DataError>(
        [&] { require_files(parse_sweep(text, "s.yaml", folder_.path(), {})); });
  }

  TemporaryFolder folder_;
};

TEST_F(RequireFiles, NamesThePlaceOfTheOneThatIsMissing) {
  EXPECT_EQ(refusal("    base: base\n    sft: sft\n"), "accepted");
  EXPECT_EQ(refusal("    base: base\n    sft: stf\n"),
            "s.yaml:8:10: models[0].sft: no such folder: " + (folder_.path() / "stf").string() +
                "; a Hugging Face folder with config.json and model.safetensors was expected");
  EXPECT_THAT(refusal("    base: base\n    variants: [base, {name: c, checkpoint: none}]\n"),
              HasSubstr("s.yaml:8:44: models[0].variants[1].checkpoint: no such folder: "));
  EXPECT_THAT(refusal("    base: base\n    sft: {base: base, adapter: lroa}\n"),
              AllOf(HasSubstr("s.yaml:8:10: models[0].sft: no such folder: "),
                    HasSubstr("lroa (the adapter)")));
}

TEST_F(RequireFiles, ListsAllThatAreMissingOnce) {
  const std::string all = refusal(
      "    base: bsae\n    sft: stf\n    variants: [base, sft, qk, {name: c, checkpoint: none}]\n");
  EXPECT_THAT(all, AllOf(HasSubstr("3 checkpoints of the sweep are not there"),
                         HasSubstr("\n  s.yaml:7:11: models[0].base: no such folder: "),
                         HasSubstr("\n  s.yaml:8:10: models[0].sft: no such folder: "),
                         HasSubstr("variants[3].checkpoint: no such folder: ")));
}

TEST_F(RequireFiles, ListsWhatElseIsMissingAmongThem) {
  EXPECT_EQ(refusal("    base: base\nhaystack: {kind: text, path: none.txt}\n"),
            "s.yaml:8:30: haystack.path: no such file or folder: " +
                (folder_.path() / "none.txt").string());
  EXPECT_THAT(refusal("    base: base\nhaystack: {kind: essays, path: none}\ntokenizer: tok\n"
                      "reasoning: {kind: gsm8k, path: none.jsonl}\n"),
              AllOf(HasSubstr("3 files and folders of the sweep are not there\n"),
                    HasSubstr("\n  s.yaml:8:32: haystack.path: "), HasSubstr("reasoning.path: "),
                    HasSubstr("\n  s.yaml:9:12: tokenizer: ")));
  EXPECT_THAT(refusal("    base: base\n    tokenizer: tok\n"),
              HasSubstr("s.yaml:8:16: models[0].tokenizer: no such file or folder: "));
  EXPECT_THAT(refusal("    base: bsae\ntokenizer: tok\n"),
              AllOf(HasSubstr("2 files and folders"),
                    HasSubstr("model.safetensors was expected "
                              "for a checkpoint\n"),
                    HasSubstr("models[0].base: no such folder: ")));
}

TEST_F(RequireFiles, AsksOnlyForWhatIsComputedHere) {
  EXPECT_EQ(refusal("    base: base\n    sft: none\n    variants: [base]\n"), "accepted");
  const std::string sft_alone = "    base: none\n    sft: sft\n    variants: [sft]\n";
  EXPECT_THAT(refusal(sft_alone), HasSubstr("models[0].base")) << "its tokenizer is that of all";
  EXPECT_EQ(refusal(sft_alone + "    tokenizer: sft\n"), "accepted");
  EXPECT_THAT(refusal("    base: none\n    sft: sft\n    variants: [qk]\n"),
              AllOf(HasSubstr("models[0].base"), Not(HasSubstr("models[0].sft"))));
  EXPECT_EQ(
      refusal("    served: {url: \"http://localhost:9/v1\", model: m}\n    tokenizer: base\n"),
      "accepted");
}

}  // namespace
}  // namespace niah
