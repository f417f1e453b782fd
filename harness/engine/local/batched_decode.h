// Long answers, decoded several at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "harness/engine/local/decode_session.h"
#include "models/decode/prefix_reader.h"

namespace niah {

/// The most bytes of one thread's batch, given the bytes of one state and of a model's weights. 0
/// when decoding several at a time does not pay, because reading the state takes most of a pass, or
/// when two states do not fit in `budget`.
std::int64_t batch_bytes(std::int64_t state_bytes, std::int64_t weight_bytes, std::int64_t variants,
                         std::int64_t budget);

/// One thread's batch of sequences. Each has a state of its own, so that the thread's reader can go
/// on to the next prompt. Sequences of one variant decode together: each pass reads the weights
/// once for all of them.
class BatchedDecode {
 public:
  using Finish = std::function<void(DecodeSession&)>;

  /// `models`: the reader's variants; `tokens`: the longest text, output included; `budget`: the
  /// most bytes of all states; `finish` receives every finished session.
  BatchedDecode(std::vector<std::shared_ptr<models::CausalLM>> models, std::int64_t tokens,
                std::int64_t budget, Finish finish);

  /// Whether it pays to move this answer into the batch: it is long and drafts do not shorten it,
  /// reading the weights is a good part of a pass, and there is memory for several.
  bool pays(const models::PrefixReader& reader, std::size_t variant,
            const DecodeSession& session) const;
  /// Takes over a session whose next pass begins at the reader's position. Decodes others until
  /// there is room. False: memory did not suffice after all, and the caller keeps the session.
  bool add(const models::PrefixReader& reader, std::size_t variant,
           std::unique_ptr<DecodeSession>& session);
  /// Decodes all sequences to their ends.
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
    bool is_exact = true;  ///< else, on the CPU, a text's rounding depends on the batch
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
