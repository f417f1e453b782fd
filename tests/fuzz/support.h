// Helpers of the fuzz targets.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "harness/base/error.h"

namespace niah::fuzz {

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Aborts unless `holds`, so that the fuzzer keeps the input.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Calls `use`, which must return or throw an Error with a message.
template <typename Use>
void expect_result_or_error(const Use& use) {
  try {
    use();
  } catch (const Error& error) {
    require(*error.what() != '\0');
  }
}

/// An in-memory file with the given bytes.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : fd_(::memfd_create("niah-fuzz", MFD_CLOEXEC)) {
    require(fd_ >= 0 &&
            ::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

/// Makes `file` anew with these bytes. One that is emptied and filled again would be written to the
/// disk at once by some file systems, which takes a hundred times as long as what is to be tested.
inline void write_anew(const std::filesystem::path& file, std::string_view bytes) {
  std::filesystem::remove(file);
  std::ofstream(file, std::ios::binary) << bytes;
}

/// What a target does with one input; always returns 0, as libFuzzer wants it.
using Target = int (*)(const std::uint8_t* data, std::size_t size);

/// The targets of the program fuzz_corpus, by name.
inline std::map<std::string_view, Target>& targets() {
  static std::map<std::string_view, Target> all;
  return all;
}

/// Adds a target to targets().
struct Registration {
  Registration(const char* name, Target target) { targets().emplace(name, target); }
};

}  // namespace niah::fuzz

/// NIAH_FUZZ_TARGET(name) { ... } is what the target `name` does with an input: `size` bytes at
/// `data`. It ends with `return 0`. Where libFuzzer is linked (preset fuzz), each target is a
/// program of its own, of which this is the entry; elsewhere all are in the program fuzz_corpus,
/// with any compiler.
#ifdef NIAH_LIBFUZZER
#define NIAH_FUZZ_TARGET(name) \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
#else
#define NIAH_FUZZ_TARGET(name)                                                     \
  static int name##_target(const std::uint8_t* data, std::size_t size);            \
  static const niah::fuzz::Registration name##_registration(#name, name##_target); \
  static int name##_target(const std::uint8_t* data, std::size_t size)
#endif
