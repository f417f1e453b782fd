// A model behind an OpenAI-compatible server, as an engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "harness/base/progress.h"
#include "harness/config/served.h"
#include "harness/engine/engine.h"
#include "harness/engine/served/identity.h"  // IWYU pragma: export
#include "harness/engine/served/pace.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::served {

class Asker;

/// Asks one served model. One group of one variant. Answers come as streams, which are closed when
/// they are decided. What a later try may spare is tried again, with growing pauses; less is asked
/// at once where the server has too much.
class OpenAiEngine : public Engine {
 public:
  /// `tokenizer` spells stop tokens and counts; it outlives the engine. `key` may be empty. `warn`
  /// is told, from any thread, what is found out about the server on the way; each thing once.
  OpenAiEngine(ServedConfig config, std::string key, const models::Tokenizer& tokenizer,
               std::function<void(const std::string&)> warn = print_warning,
               PaceSettings pace = {});
  ~OpenAiEngine() override;

  Capabilities capabilities() const override;
  /// Failures besides "failed": "cut" (the server read fewer tokens than were sent), "refused" (it
  /// would not answer, and the rest of the list is not asked). Throws DataError when no request
  /// would be spared: the key or the model is unknown to the server, or nobody was there during all
  /// tries of a request. A stop and an interrupt abandon what is in flight.
  void answer(RequestList list, const AnswerSink& sink) override;
  std::string activity() const override;

 private:
  std::unique_ptr<Asker> asker_;
};

}  // namespace niah::served
