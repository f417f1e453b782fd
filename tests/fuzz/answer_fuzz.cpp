// libFuzzer target: arbitrary bytes as a model's output. No reader may throw.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/tasks/reasoning/read_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  niah::tasks::test::read_every_way({reinterpret_cast<const char*>(data), size});
  return 0;
}
