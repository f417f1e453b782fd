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

/// Asks one served model. One group of one variant. Answers are streamed, and the stream is closed
/// once they are decided. Temporary failures are retried with growing pauses; fewer requests are
/// kept in flight when the server reports overload.
class OpenAiEngine : public Engine {
 public:
  /// `tokenizer` gives the text of stop tokens and counts tokens; it must outlive the engine. `key`
  /// may be empty. `warn` receives, from any thread, warnings about the server, each once.
  OpenAiEngine(ServedConfig config, std::string key, const models::Tokenizer& tokenizer,
               std::function<void(const std::string&)> warn = print_warning,
               PaceSettings pace = {});
  ~OpenAiEngine() override;

  Capabilities capabilities() const override;
  /// Failures besides "failed": "cut" (the server read less than was sent, or had no room for the
  /// answer), "refused" (it would not answer, and the rest of the list is not asked). Throws
  /// DataError when every other request would fail, too: the key or the model is unknown to the
  /// server, or it could not be reached in any try of a request. A stop and an interrupt abandon
  /// what is in flight.
  void answer(RequestList list, const AnswerSink& sink) override;
  std::string activity() const override;

 private:
  std::unique_ptr<Asker> asker_;
};

}  // namespace niah::served
