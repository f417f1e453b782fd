#include "harness/config/paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "harness/base/error.h"
#include "tests/harness/config/demo_sweep.h"
#include "tests/refusal.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Paths : public testing::Test {
 protected:
  void SetUp() override {
    setenv("HOME", "/home/ada", 1);
    setenv("NIAH_TEST_FOLDER", "runs/tonight", 1);
    unsetenv("NIAH_TEST_UNSET");
  }
};

TEST_F(Paths, StartAtTheHomeFolderOrAVariable) {
  EXPECT_EQ(resolve("/configs", "~"), "/home/ada");
  EXPECT_EQ(resolve("/configs", "~/base"), "/home/ada/base");
  EXPECT_EQ(resolve("/configs", "/data/${NIAH_TEST_FOLDER}/${HOME}"),
            "/data/runs/tonight/home/ada");
  EXPECT_EQ(resolve("/configs", "${NIAH_TEST_FOLDER}/base"), "/configs/runs/tonight/base");
  for (const char* plain : {"a~", "~ada/x", "$HOME", "${}", "${HOME", "${a b}", "a}"})
    EXPECT_EQ(resolve("/configs", plain), std::filesystem::path("/configs") / plain);
}

TEST_F(Paths, AVariableThatIsNotSetIsNamedWithItsPlace) {
  EXPECT_THAT(refusal_of<UsageError>([] { resolve("/", "${NIAH_TEST_UNSET}/x"); }),
              HasSubstr("${NIAH_TEST_UNSET}: the environment variable NIAH_TEST_UNSET is not set"));
  unsetenv("HOME");
  EXPECT_THAT(refusal_of<UsageError>([] { resolve("/", "~/x"); }), HasSubstr("variable HOME"));
  EXPECT_THAT(refusal(replaced(kSweep, "checkpoints/base", "${NIAH_TEST_UNSET}/base")),
              HasSubstr("s.yaml:8:11: models[0].base: ${NIAH_TEST_UNSET}: "));
}

TEST_F(Paths, AreReplacedInEveryKeyThatHoldsOne) {
  const SweepConfig sweep =
      parse(replaced(kSweep, "checkpoints/base", "{base: ~/b, adapter: ~/l}") +
            "tokenizer: ~/t\nhaystack: {kind: text, path: ~/h}\n"
            "reasoning: {kind: gsm8k, path: ~/g}\n");
  EXPECT_EQ(sweep.models[0].base.folder, "/home/ada/b");
  EXPECT_EQ(sweep.models[0].base.adapter, "/home/ada/l");
  EXPECT_EQ(sweep.tokenizer, "/home/ada/t");
  EXPECT_EQ(sweep.haystack.path, "/home/ada/h");
  EXPECT_EQ(sweep.reasoning[0].path, "/home/ada/g");
  const SweepConfig files = parse(
      "name: x\nsamples_from: [~/s, {path: ~/t}]\nmodels: [{name: m, base: b, tokenizer: ~/t}]\n");
  EXPECT_EQ(files.sample_files[0].path, "/home/ada/s");
  EXPECT_EQ(files.sample_files[1].path, "/home/ada/t");
  EXPECT_EQ(files.tokenizer, "/home/ada/t");
  const std::string bad = "${NIAH_TEST_UNSET}";
  EXPECT_THAT(refusal("name: x\nsamples_from: ['" + bad + "', {path: '" + bad +
                      "'}]\nmodels: [{name: m, base: b, sft: '" + bad + "'}]\n"),
              AllOf(HasSubstr("samples_from: ${NIAH_TEST_UNSET}"), HasSubstr("models[0].sft: ")));
}

}  // namespace
}  // namespace niah
