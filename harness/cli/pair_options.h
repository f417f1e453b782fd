// --pre, --post and their adapters: the checkpoints before and after a fine-tune.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "models/checkpoint/checkpoint_path.h"

namespace niah {

struct PairArguments {
  std::string pre, post, pre_adapter, adapter;

  /// Whether anything of a pair was given.
  bool any() const {
    return !pre.empty() || !post.empty() || !pre_adapter.empty() || !adapter.empty();
  }
  models::CheckpointPath before() const { return {pre, pre_adapter}; }
  /// An adapter alone is on top of `pre`. Throws UsageError where neither was given.
  models::CheckpointPath after() const;
  /// Says on standard error where a folder of the pair holds an adapter that is left out. Throws
  /// what after() throws.
  void warn_of_adapters_beside() const;
};

/// Adds the options; --pre is required unless `is_optional`.
void add_pair_options(CLI::App& command, PairArguments& arguments, bool is_optional = false);

/// --adapter of a command that reads one checkpoint.
void add_adapter_option(CLI::App& command, std::string& adapter);

}  // namespace niah
