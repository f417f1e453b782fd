// Answers that take long, decoded several at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "harness/engine/local/decode_session.h"
#include "models/decode/prefix_reader.h"

namespace niah {

/// Bytes that one thread's batch takes at most, where a state takes `state_bytes` and a model's
/// weights `weight_bytes`: none where decoding several at a time does not pay, because reading the
/// text is what takes time, or does not fit in `budget`.
std::int64_t batch_bytes(std::int64_t state_bytes, std::int64_t weight_bytes, std::int64_t variants,
                         std::int64_t budget);

/// One thread's batch: sequences with a state of their own each, apart from the reader that goes on
/// to the next prompt. Those of one variant decode together, which reads the weights once a token
/// for all of them.
class BatchedDecode {
 public:
  using Finish = std::function<void(DecodeSession&)>;

  /// `models`: the reader's variants; `tokens`: the longest text, output included; `budget`: bytes
  /// of all states at most; `finish` is given every session that is through.
  BatchedDecode(std::vector<std::shared_ptr<models::CausalLM>> models, std::int64_t tokens,
                std::int64_t budget, Finish finish);

  /// Whether decoding this answer apart pays: the answer is long and not guessed, reading the
  /// weights is a good part of a pass, and there is memory for several.
  bool pays(const models::PrefixReader& reader, std::size_t variant,
            const DecodeSession& session) const;
  /// Takes a session over; `reader` stands where its next pass begins. Decodes others until there
  /// is room. False: memory does not suffice after all, and the session stays with the caller.
  bool add(const models::PrefixReader& reader, std::size_t variant,
           std::unique_ptr<DecodeSession>& session);
  /// Decodes all to their ends.
  void finish_all();

 private:
  struct Sequence {
    std::unique_ptr<DecodeSession> session;
    models::Branch branch;
    std::int64_t bytes = 0;
  };
  struct Variant {
    std::shared_ptr<models::CausalLM> model;
    std::int64_t weight_bytes = 0;
    bool is_exact = true;  ///< else rounding may depend on what is beside a text: not on the CPU
    std::list<Sequence> sequences{};
  };

  void step(Variant& variant);
  std::vector<bool> step_alone(Variant& variant);

  std::vector<Variant> variants_;
  std::int64_t tokens_;
  std::int64_t budget_;
  std::int64_t bytes_ = 0;  ///< of all states
  Finish finish_;
};

}  // namespace niah
