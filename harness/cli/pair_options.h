// --pre, --post and their adapters: the checkpoints before and after a fine-tune.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "models/checkpoint/checkpoint_path.h"

namespace niah {

/// The options' values; empty where not given.
struct PairArguments {
  std::string pre, post, pre_adapter, adapter;

  /// Whether any of the options was given.
  bool any() const {
    return !pre.empty() || !post.empty() || !pre_adapter.empty() || !adapter.empty();
  }
  models::CheckpointPath before() const { return {pre, pre_adapter}; }
  /// The fine-tuned checkpoint; without --post, the adapter is on top of `pre`. Throws UsageError
  /// when neither was given.
  models::CheckpointPath after() const;
  /// Warns on standard error of adapters in the pair's folders that are not applied. Throws what
  /// after() throws.
  void warn_of_adapters_beside() const;
};

/// Adds the options; --pre is required unless `is_optional`.
void add_pair_options(CLI::App& command, PairArguments& arguments, bool is_optional = false);

/// Adds --adapter, for a command that reads one checkpoint.
void add_adapter_option(CLI::App& command, std::string& adapter);

}  // namespace niah
