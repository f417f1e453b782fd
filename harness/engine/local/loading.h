// A sweep's models on this machine: all variants, and what they add to the run's description.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/engine/local/loaded_variants.h"
#include "harness/engine/local/machine.h"
#include "harness/plan/work_list.h"

namespace niah {

/// Loads every variant of the sweep that is not served, in order. Fingerprints contain a hash of
/// the tokenizer's files: `tokenizer_sha256` if given, for a run that was begun with the same
/// tokenizer in files that differ. Throws what load_variants throws, and before anything is loaded
/// what require_vocabulary throws.
std::vector<LoadedVariant> load_all(const WorkList& work, const Machine& machine,
                                    const std::string& tokenizer_sha256 = "");

/// The number of workers, decided by the largest model.
std::int64_t count_workers(const std::vector<VariantGroup>& groups, const Machine& machine);

/// What a user should know of the models before trusting their results: "model: …". Includes texts
/// of `work` that are longer than a model's config allows for.
std::vector<std::string> model_warnings(const std::vector<LoadedVariant>& variants,
                                        const WorkList& work);

}  // namespace niah
