#include "harness/cluster/slurm_scripts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <map>
#include <string>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "tests/paths.h"
#include "tests/refusal.h"

namespace niah {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

SlurmJob job() {
  SlurmJob job;
  job.name = "my pair";
  job.program = "/opt/niah";
  job.config = "/data/it's mine/sweep.yaml";
  job.out = "/runs/a sweep";
  job.overrides = {"samples=20", "models.0.base=$HOME"};
  job.shards = 12;
  job.cpus = 16;
  job.memory = "32G";
  job.time = "04:00:00";
  return job;
}

std::string shipped(const std::string& file) {
  return read_file(std::filesystem::path(NIAH_SOURCE_DIR) / "docker" / file, "test");
}

/// Where the head of a template ends.
std::string body_of(const std::string& script) { return script.substr(script.find("\n# ----")); }

/// Without the last line, which says what the script was when it was written.
std::string without_sum(const std::string& script) {
  return script.substr(0, script.find("# Not edited"));
}

TEST(SlurmScripts, FillInTheTemplates) {
  const SlurmScripts scripts = slurm_scripts(job());
  for (const char* line :
       {"#SBATCH --job-name=niah-my-pair\n", "#SBATCH --array=1-12\n",
        "#SBATCH --cpus-per-task=16\n", "#SBATCH --mem=32G\n", "#SBATCH --time=04:00:00\n",
        "#SBATCH --output=\"/runs/a sweep/logs/%A_%a.log\"\n", "#SBATCH --requeue\n",
        "#SBATCH --signal=B:TERM@60\n", "\nconfig='/data/it'\\''s mine/sweep.yaml'\n",
        ("\nmore=(--set 'samples=20' --set 'models.0.base=$HOME' --set "
         "\"runtime.threads=$SLURM_CPUS_PER_TASK\")\n"),
        "\nshards=12\n", "\nout='/runs/a sweep'\n", "\nscratch=\n"})
    EXPECT_THAT(scripts.shards, HasSubstr(line));
  EXPECT_THAT(scripts.shards, StartsWith("#!/usr/bin/env bash\n"));
  EXPECT_THAT(scripts.shards, Not(HasSubstr("--gres")));
  EXPECT_EQ(body_of(without_sum(scripts.shards)), body_of(shipped("slurm/niah.sbatch")));
  EXPECT_THAT(scripts.merge, HasSubstr("\nout='/runs/a sweep'\nbaseline=\n"));
  EXPECT_EQ(body_of(without_sum(scripts.merge)), body_of(shipped("slurm/merge.sbatch")));
}

TEST(SlurmScripts, TakeGpusABaselineAndOptionsOfTheSite) {
  SlurmJob wanted = job();
  wanted.gpus = 2;
  wanted.baseline = "/baseline/results.json";
  wanted.scratch = "/local";
  wanted.sbatch = {"partition=long", "exclusive"};
  const SlurmScripts scripts = slurm_scripts(wanted);
  EXPECT_THAT(scripts.shards, HasSubstr("#SBATCH --gres=gpu:2\n"));
  EXPECT_THAT(scripts.shards, HasSubstr("\nscratch='/local'\n"));
  EXPECT_THAT(scripts.merge, HasSubstr("\nbaseline='/baseline/results.json'\n"));
  EXPECT_THAT(scripts.merge, Not(HasSubstr("--gres")));
  for (const std::string& script : {scripts.shards, scripts.merge})
    EXPECT_THAT(script, HasSubstr("#SBATCH --partition=long\n#SBATCH --exclusive\n"));
}

TEST(SlurmScripts, FillInVariablesOfTheNodeInScratchAlone) {
  const std::map<std::string, std::string> words = {
      {"$TMPDIR", "\"${TMPDIR:?of --scratch is not set on this node}\""},
      {"/a b/${X}y", "'/a b/'\"${X:?of --scratch is not set on this node}\"'y'"},
      {"/$1/$(id)", "'/$1/$(id)'"}};
  for (const auto& [scratch, word] : words) {
    SlurmJob wanted = job();
    wanted.scratch = scratch;
    EXPECT_THAT(slurm_scripts(wanted).shards, HasSubstr("\nscratch=" + word + "\n"));
  }
}

TEST(SlurmScripts, KnowThemselvesFromEditedAndForeignOnes) {
  const std::string script = slurm_scripts(job()).merge;
  EXPECT_EQ(script_state(script), ScriptState::kOwn);
  EXPECT_EQ(script_state("#!/bin/sh\necho mine\n"), ScriptState::kForeign);
  EXPECT_EQ(script_state(script + "echo more\n"), ScriptState::kEdited);
  std::string edited = script;
  edited.replace(edited.find("mem=4G"), 6, "mem=8G");
  EXPECT_EQ(script_state(edited), ScriptState::kEdited);
  EXPECT_EQ(script_state(without_sum(script)), ScriptState::kOwn) << "an earlier version's";
}

TEST(SlurmScripts, RefuseWhatWouldMeanSomethingElse) {
  for (const char* path : {"/a\"b", "/a'b", "/a\nb", "/a%j", "/a\\b"}) {
    SlurmJob wanted = job();
    wanted.out = path;
    EXPECT_THAT(refusal_of<UsageError>([&] { slurm_scripts(wanted); }), HasSubstr("--out is"));
  }
  for (const char* option : {"", "--partition=long", "a b", "comment=a\nb", "=x"}) {
    SlurmJob wanted = job();
    wanted.sbatch = {option};
    EXPECT_THAT(refusal_of<UsageError>([&] { slurm_scripts(wanted); }), HasSubstr("--sbatch"));
  }
  for (const char* time : {"", "4h", ":30", "1 2"})
    EXPECT_THROW(require_slurm_time(time), UsageError) << time;
  for (const char* time : {"30", "04:00:00", "1-12:00:00"})
    EXPECT_NO_THROW(require_slurm_time(time)) << time;
  for (const char* memory : {"", "G", "16 G", "16GB", "-1"})
    EXPECT_THROW(require_slurm_memory(memory), UsageError) << memory;
  for (const char* memory : {"900", "900M", "16G"})
    EXPECT_NO_THROW(require_slurm_memory(memory)) << memory;
}

TEST(SlurmScripts, AskForSomethingToSpare) {
  EXPECT_EQ(slurm_time(0), "00:10:00");
  EXPECT_EQ(slurm_time(3600), "01:40:00");
  EXPECT_EQ(slurm_time(24 * 3600), "1-12:10:00");
  EXPECT_EQ(slurm_memory(1 << 30), "1280M");
  EXPECT_EQ(slurm_memory(1), "256M");
}

TEST(SlurmScripts, AreSubmittedByTwoCommands) {
  EXPECT_EQ(submit_commands("/r/shards.sbatch", "/r/merge.sbatch"),
            "job=$(sbatch --parsable '/r/shards.sbatch')\n"
            "sbatch --dependency=afterany:\"$job\" '/r/merge.sbatch'\n");
}

/// The one container of a Job.
YAML::Node container_of(const YAML::Node& job) {
  return job["spec"]["template"]["spec"]["containers"][0];
}

TEST(KubernetesJob, AsksAsManyShardsAsItHasIndexes) {
  const std::vector<YAML::Node> jobs = YAML::LoadAll(shipped("k8s/niah-job.yaml"));
  ASSERT_EQ(jobs.size(), 2U);
  const YAML::Node shards = jobs[0]["spec"];
  EXPECT_EQ(shards["completionMode"].as<std::string>(), "Indexed");
  const auto command = container_of(jobs[0])["command"][2].as<std::string>();
  EXPECT_THAT(command, HasSubstr("$((JOB_COMPLETION_INDEX + 1))"));
  EXPECT_THAT(command, HasSubstr("/" + shards["completions"].as<std::string>() + " "));
  EXPECT_THAT(container_of(jobs[1])["command"][2].as<std::string>(), HasSubstr("niah merge "));
}

TEST(KubernetesJob, RunsWithoutPrivileges) {
  for (const YAML::Node& job : YAML::LoadAll(shipped("k8s/niah-job.yaml"))) {
    EXPECT_EQ(job["kind"].as<std::string>(), "Job");
    const YAML::Node pod = job["spec"]["template"]["spec"];
    EXPECT_EQ(pod["restartPolicy"].as<std::string>(), "Never");
    EXPECT_TRUE(pod["securityContext"]["runAsNonRoot"].as<bool>());
    const YAML::Node container = container_of(job);
    EXPECT_TRUE(container["securityContext"]["readOnlyRootFilesystem"].as<bool>());
    EXPECT_FALSE(container["securityContext"]["allowPrivilegeEscalation"].as<bool>());
    for (const char* kind : {"requests", "limits"})
      EXPECT_TRUE(container["resources"][kind]["memory"]) << kind;
  }
}

}  // namespace
}  // namespace niah
