// The part of `info` that reads only a checkpoint's files. Functions named print_... print to
// standard output.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

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

/// What the functions above print, as JSON: path, model_type, tensors by type, bytes, files,
/// adapter, tokenizer, warnings, weights_sha256 (null where print_weights_hash() computes none).
nlohmann::json checkpoint_json(const models::Checkpoint& checkpoint, bool hash_is_asked);

/// Options of `info`: what of a checkpoint is said, and how.
struct InfoOptions {
  bool hash = false;
  bool json = false;
};

/// Adds --hash and --json.
void add_info_options(CLI::App& command, InfoOptions& options);

}  // namespace niah
