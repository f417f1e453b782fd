// A simple record, for tests of code that stores records.
#pragma once

#include <cstdint>
#include <string>

#include "reports/record.h"

namespace niah {

/// A hit of sample `index` of task s1 at 4K.
inline reports::Record plain_record(std::int64_t index, const std::string& variant = "v") {
  reports::Record record;
  record.variant = variant;
  record.protocol = "niah";
  record.task = "s1";
  record.length = 4096;
  record.index = index;
  record.expected = {"1234567"};
  record.prompt_sha256 = std::string(64, 'a');
  record.score = 1;
  return record;
}

}  // namespace niah
