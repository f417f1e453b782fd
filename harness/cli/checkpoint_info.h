// What `info` knows of a checkpoint by its files alone.
#pragma once

#include "models/checkpoint/checkpoint.h"

namespace niah {

/// Writes how its tensors are stored: element types, bytes, files. To standard output, as the
/// others.
void print_storage(const models::Checkpoint& checkpoint);

/// Writes which tokenizer lies in its folder, or why there is none.
void print_tokenizer(const models::Checkpoint& checkpoint);

/// Writes the hash of its weights, for which all of them are read.
void print_weights_hash(const models::Checkpoint& checkpoint);

}  // namespace niah
