// A sweep's models on this machine: all variants, and what they add to the run's description.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/engine/local/loaded_variants.h"
#include "harness/engine/local/machine.h"
#include "harness/plan/work_list.h"

namespace niah {

/// Loads every variant of the sweep that is no server's, in its order. Fingerprints name the
/// tokenizer's files by their hash: by `tokenizer_sha256` where a run was begun with the same
/// tokenizer in other bytes. Throws what load_variants throws, and before anything is loaded what
/// require_vocabulary throws.
std::vector<LoadedVariant> load_all(const WorkList& work, const Machine& machine,
                                    const std::string& tokenizer_sha256 = "");

/// How many cells are read at once, by the largest of the models.
std::int64_t count_workers(const std::vector<VariantGroup>& groups, const Machine& machine);

/// What a user should know of the models before trusting their results: "model: …". Also where
/// `work` asks for longer texts than a model's config claims.
std::vector<std::string> model_warnings(const std::vector<LoadedVariant>& variants,
                                        const WorkList& work);

}  // namespace niah
