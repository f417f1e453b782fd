// Settings of the whole process, each tested in a child process, since they would outlast the test.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/memory.h"
#include "harness/base/output.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

/// Runs `work` in a child process and returns its exit code.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) std::_Exit(work());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Process, ClosedDescriptorsAreNotGivenToFiles) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "journal";
  EXPECT_EQ(in_child([&] {
              for (int fd = 0; fd < 3; ++fd) ::close(fd);
              prepare_process();
              AppendFile journal(path);
              write_stderr("progress\n");
              journal.append("line\n");
              return 0;
            }),
            0);
  EXPECT_EQ(read_file(path, "test"), "line\n");
}

TEST(Process, DataForAClosedOrFullStandardOutputIsAnError) {
  for (const char* sink : {"", "/dev/full"}) {
    EXPECT_EQ(in_child([&] {
                ::close(STDOUT_FILENO);
                if (*sink != '\0') ::open(sink, O_WRONLY);
                prepare_process();
                try {
                  write_stdout("data");
                  flush_stdout();
                } catch (const DataError&) {
                  return 3;
                }
                return 0;
              }),
              3);
  }
}

TEST(Process, StandardErrorMayBeFullOrAPipeWithoutReader) {
  EXPECT_EQ(in_child([] {
              int ends[2];
              if (::pipe(ends) != 0) return 1;
              ::close(ends[0]);
              prepare_process();
              ::dup2(ends[1], STDERR_FILENO);
              say("nobody {}\n", "listens");
              ::dup2(::open("/dev/full", O_WRONLY), STDERR_FILENO);
              say("no room\n");
              return 0;
            }),
            0);
}

TEST(Process, AFileBeyondTheLimitIsAnErrorOfTheWrite) {
  const TemporaryFolder folder;
  EXPECT_EQ(in_child([&] {
              prepare_process();
              const rlimit limit{100, 100};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              try {
                write_file(folder.path() / "file", std::string(1000, 'x'));
              } catch (const DataError&) {
                return 3;
              }
              return 0;
            }),
            3);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Process, AMappedFileThatShrinksEndsWithALine) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("weights", std::string(1 << 20, 'x'));
  EXPECT_EXIT(
      {
        prepare_process();
        const MappedFile mapped(path);
        fs::resize_file(path, 10);
        volatile char c = mapped.view()[1 << 19];
        std::_Exit(c);
      },
      testing::ExitedWithCode(3), "a file became shorter");
}

TEST(Process, EverySignalToStopIsARequestUnlessItWasIgnored) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EQ(in_child([&] {
                install_interrupt_handler();
                ::raise(signal);
                return interrupt_requested() ? 0 : 1;
              }),
              0);
    EXPECT_EQ(in_child([&] {
                ::signal(signal, SIG_IGN);  // as nohup does
                install_interrupt_handler();
                ::raise(signal);
                return interrupt_requested() ? 1 : 0;
              }),
              0);
  }
}

// AddressSanitizer reserves terabytes of address space, so no such limit can be set with it.
#ifndef __SANITIZE_ADDRESS__
TEST(Process, ItsOwnLimitsBoundTheMemory) {
  for (const auto resource : {RLIMIT_AS, RLIMIT_DATA})
    EXPECT_EQ(in_child([&] {
                constexpr std::int64_t kLimit = std::int64_t{1} << 30;
                const rlimit limit{kLimit, kLimit};
                ::setrlimit(resource, &limit);
                const auto left = available_memory();
                return left && *left > 0 && *left < kLimit ? 0 : 1;
              }),
              0);
}
#endif

TEST(Process, ItsAffinityBoundsTheProcessors) {
  EXPECT_EQ(in_child([] {
              cpu_set_t one;
              CPU_ZERO(&one);
              CPU_SET(::sched_getcpu(), &one);
              ::sched_setaffinity(0, sizeof one, &one);
              return available_processors() == 1 ? 0 : 1;
            }),
            0);
}

/// A pretend /proc and /sys/fs/cgroup.
class PretendMachine : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_.path() / path).parent_path());
    root_.write(path, text);
  }
  std::optional<std::int64_t> memory() {
    return available_memory(root_.path() / "proc", root_.path() / "cgroup");
  }
  std::int64_t processors() {
    return available_processors(root_.path() / "proc", root_.path() / "cgroup");
  }
  TemporaryFolder root_;
};

TEST_F(PretendMachine, TheSmallestOfMachineAndGroupsCounts) {
  EXPECT_EQ(memory(), std::nullopt);
  write("proc/meminfo", "MemTotal: 2000 kB\nMemAvailable:    1000 kB\n");
  EXPECT_EQ(memory(), 1000 * 1024);
  write("proc/self/cgroup", "0::/slice/job\n");
  write("cgroup/slice/job/memory.max", "max\n");
  write("cgroup/slice/job/memory.current", "5\n");
  EXPECT_EQ(memory(), 1000 * 1024);
  write("cgroup/slice/memory.max", "10000\n");
  write("cgroup/slice/memory.current", "4000\n");
  write("cgroup/slice/memory.stat", "anon 3000\ninactive_file 500\n");
  EXPECT_EQ(memory(), 6500);
  write("cgroup/memory/memory.limit_in_bytes", "3000\n");
  write("cgroup/memory/memory.usage_in_bytes", "2000\n");
  EXPECT_EQ(memory(), 1000);
}

TEST_F(PretendMachine, NestedGroupsOfVersion1Count) {
  write("proc/self/cgroup", "12:cpu,cpuacct:/jobs/7\n4:memory:/jobs/7\n0::/\n");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("cgroup/memory/memory.usage_in_bytes", "2000\n");
  write("cgroup/memory/jobs/7/memory.limit_in_bytes", "5000\n");
  write("cgroup/memory/jobs/7/memory.usage_in_bytes", "4000\n");
  EXPECT_EQ(memory(), 1000);
  const std::int64_t all = processors();
  write("cgroup/cpu/jobs/7/cpu.cfs_quota_us", "-1\n");
  write("cgroup/cpu/jobs/7/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(processors(), all);
  write("cgroup/cpu/jobs/cpu.cfs_quota_us", "50000\n");
  write("cgroup/cpu/jobs/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(processors(), 1);
}

TEST_F(PretendMachine, QuotasOfVersion2BoundTheProcessors) {
  write("proc/self/cgroup", "0::/slice/job\n");
  const std::int64_t all = processors();
  write("cgroup/slice/job/cpu.max", "max 100000\n");
  EXPECT_EQ(processors(), all);
  write("cgroup/slice/cpu.max", "100000 100000\n");
  EXPECT_EQ(processors(), 1);
}

}  // namespace
}  // namespace niah
