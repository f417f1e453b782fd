#include "tests/models/support.h"

#include "tests/paths.h"

namespace niah::models {

std::filesystem::path test_data() { return NIAH_TEST_DATA; }

}  // namespace niah::models
