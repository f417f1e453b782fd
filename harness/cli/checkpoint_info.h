// The part of `info` that reads only a checkpoint's files. All functions print to standard output.
#pragma once

#include <CLI/CLI.hpp>

#include "models/checkpoint/checkpoint.h"

namespace niah {

/// Prints how the tensors are stored: element types, bytes, files.
void print_storage(const models::Checkpoint& checkpoint);

/// Prints which tokenizer the checkpoint's folder has, or why none can be opened.
void print_tokenizer(const models::Checkpoint& checkpoint);

/// Warns of an adapter in the folder that is not applied.
void print_left_out(const models::Checkpoint& checkpoint);

/// Prints the hash of the weights, which reads all of them: if `is_asked`, or if there are few
/// enough that it takes no more than a second or two.
void print_weights_hash(const models::Checkpoint& checkpoint, bool is_asked);

/// Adds --hash, an option of `info`.
void add_hash_option(CLI::App& command, bool& hash);

}  // namespace niah
