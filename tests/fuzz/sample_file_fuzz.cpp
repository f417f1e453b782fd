// Fuzz target: arbitrary bytes as a sample file.
#include "tasks/sample_file.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(sample_file) {
  const niah::fuzz::MemoryFile file(niah::fuzz::as_text(data, size));
  for (const bool told : {false, true})
    niah::fuzz::expect_result_or_error([&] {
      niah::tasks::SampleFile given{file.path(), "", {}};
      if (told) {
        given.task = "s2";
        given.length = 1024;
      }
      for (const auto& cell : niah::tasks::read_sample_files({given}, 0))
        for (std::int64_t i = 0; i < cell->request().samples; ++i)
          niah::fuzz::require(cell->sample(i).task == cell->request().task);
    });
  return 0;
}
