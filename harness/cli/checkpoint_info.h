// What `info` knows of a checkpoint by its files alone.
#pragma once

#include <CLI/CLI.hpp>

#include "models/checkpoint/checkpoint.h"

namespace niah {

/// Writes how its tensors are stored: element types, bytes, files. To standard output, as the
/// others.
void print_storage(const models::Checkpoint& checkpoint);

/// Writes which tokenizer lies in its folder, or why there is none.
void print_tokenizer(const models::Checkpoint& checkpoint);

/// Warns of what lies in its folder and is left out.
void print_left_out(const models::Checkpoint& checkpoint);

/// Writes the hash of its weights, for which all of them are read: where `is_asked`, or they are
/// few enough that nobody waits for it.
void print_weights_hash(const models::Checkpoint& checkpoint, bool is_asked);

/// --hash of `info`.
void add_hash_option(CLI::App& command, bool& hash);

}  // namespace niah
