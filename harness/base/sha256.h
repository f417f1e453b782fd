// SHA-256, to identify content: prompts, weights, tokenizers, haystacks.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace niah {

/// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& update(std::string_view bytes);
  /// The digest as 64 lower-case hex digits. The object must not be used after that.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// The digest of `bytes` as 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace niah
