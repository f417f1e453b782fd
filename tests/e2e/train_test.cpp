// niah train, killed and started again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "harness/base/files.h"
#include "tests/e2e/program.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

namespace fs = std::filesystem;

const std::string kZoo = std::string(NIAH_SOURCE_DIR) + "/models/zoo";

/// Runs niah train until it has saved a state, then kills it.
void train_and_kill(const std::string& recipe, const fs::path& out) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(NIAH_PROGRAM, "niah", "train", recipe.c_str(), "--quiet", "--out", out.c_str(),
            nullptr);
    ::_exit(127);
  }
  const fs::path state = out.string() + ".work/state.safetensors";
  for (int i = 0; i < 6000 && !fs::exists(state); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
}

TEST(Train, KilledAndContinuedItGivesWhatOneRunGives) {
  const TemporaryFolder folder;
  const fs::path recipe = folder.path() / "tune.yaml";
  write_file(recipe, "name: tune\nseed: 3\ntokenizer: " + kZoo + "/tokenizer\nstart: " + kZoo +
                         "/base\ndata: {kind: direct, batch_problems: 2}\n"
                         "train: {steps: 14, learning_rate: 1e-4, bf16: false}\nsave_every: 1\n");
  const fs::path whole = folder.path() / "whole", twice = folder.path() / "twice";
  const Outcome first = niah("train " + recipe.string() + " --quiet --out " + whole.string());
  ASSERT_EQ(first.code, 0) << first.output;
  train_and_kill(recipe.string(), twice);
  ASSERT_FALSE(fs::exists(twice)) << "it was to be killed on its way";
  const Outcome second =
      niah("train " + recipe.string() + " --quiet --out " + twice.string() + "/");
  ASSERT_EQ(second.code, 0) << second.output;
  EXPECT_THAT(second.output, testing::HasSubstr("continuing tune after step "));
  for (const char* file : {"model.safetensors", "gradient_locality.json"})
    EXPECT_EQ(read_file(twice / file, "test"), read_file(whole / file, "test")) << file;
  EXPECT_FALSE(fs::exists(twice.string() + ".work"));

  const Outcome again = niah("train " + recipe.string() + " --quiet --out " + twice.string());
  EXPECT_EQ(again.code, 2) << "what is there is never written over";
  EXPECT_TRUE(fs::exists(twice / "model.safetensors"));
}

}  // namespace
}  // namespace niah::e2e
