// Runs a fuzz target over a corpus folder, without libFuzzer: every file, and CHANGES mutated
// copies of each (`fuzz_corpus TARGET FOLDER [CHANGES]`), the same copies every time.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "harness/base/files.h"
#include "tests/fuzz/support.h"

namespace {

void run(niah::fuzz::Target target, const std::string& bytes) {
  target(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

/// A copy with a few bytes inserted, removed, changed or repeated.
std::string changed(std::string bytes, std::mt19937& random) {
  for (auto edits = 1 + random() % 4; edits > 0; --edits) {
    const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
    switch (bytes.empty() ? 0 : random() % 5) {
      case 0:
        bytes.insert(at, 1, "{}[]\",:0\\\n-\0\xFF"[random() % 13]);
        break;
      case 1:
        bytes[at] = static_cast<char>(random());
        break;
      case 2:
        bytes.erase(at, 1 + random() % 16);
        break;
      case 3:
        bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 64));
        break;
      default:
        bytes.insert(at, "99999999999999999999");
        break;
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto target = niah::fuzz::targets().find(argv[1]);
  if (target == niah::fuzz::targets().end()) {
    std::fprintf(stderr, "fuzz_corpus: there is no target '%s'\n", argv[1]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2]))
    files.push_back(entry.path());
  const int changes = argc > 3 ? std::atoi(argv[3]) : 0;
  std::mt19937 random(1);
  // Each input is written to this file before it is run, so that one that crashes is kept.
  const char* keep = std::getenv("NIAH_FUZZ_KEEP");
  for (const auto& file : files) {
    const std::string bytes = niah::read_file(file, "reading the corpus");
    run(target->second, bytes);
    for (int i = 0; i < changes; ++i) {
      const std::string copy = changed(bytes, random);
      if (keep != nullptr) std::ofstream(keep, std::ios::binary) << copy;
      run(target->second, copy);
    }
  }
  std::printf("%zu files, %d changed copies of each\n", files.size(), changes);
  return files.empty() ? 1 : 0;
}
