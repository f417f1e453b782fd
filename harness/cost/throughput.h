// How fast a group of variants reads and answers on this machine.
#pragma once

#include <cstdint>

#include "harness/cost/estimate.h"
#include "harness/engine/local/loaded_variants.h"

namespace niah {

/// Times the group's passes at the start of a text and after `far` tokens of it, on `workers`
/// threads at once as the run will. Takes a second or two for a small model, and for a large one as
/// long as two chunks of `chunk` tokens and some. The KV cache of `far` tokens must fit in memory.
Throughput measure_throughput(const VariantGroup& group, std::int64_t chunk, std::int64_t far,
                              std::int64_t workers);

}  // namespace niah
