// What a server says of itself.
#pragma once

#include <cstdint>
#include <string>

#include "harness/config/served.h"

namespace niah::served {

/// What a server says of itself, without being asked for an answer.
struct ServerIdentity {
  std::string model;    ///< the config's name of it; empty if the server does not list it
  std::string version;  ///< what it runs: "vllm 0.32.0", "llama.cpp b4321"; empty where not told
  std::int64_t longest = 0;  ///< tokens that a prompt and its answer may have; 0: not told
  bool operator==(const ServerIdentity&) const = default;
};

/// Asks a server for its list of models, which must contain the config's model if there is a list,
/// and for its version. Throws DataError when there is no answer, or the key is refused.
ServerIdentity identify(const ServedConfig& config, const std::string& key);

}  // namespace niah::served
