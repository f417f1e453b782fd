// Rows of a tensor put back as they were: copied, with no arithmetic but the conversion between
// element types.
#pragma once

#include <string>

#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/new_tensor.h"
#include "models/surgery/restored_rows.h"

namespace niah::models {

/// The tensor after the fine-tune with `tensor.rows` as they were before it, where its name was
/// `name_before`. Both checkpoints are without adapters. Releases the files' pages. Throws
/// DataError if the shapes differ, if numbers that are not finite would be restored where all are
/// finite now, and if a number is too large for the element type after the fine-tune.
NewTensor copied_rows(const CheckpointPair& pair, const std::string& name_before,
                      const ChangedTensor& tensor);

}  // namespace niah::models
