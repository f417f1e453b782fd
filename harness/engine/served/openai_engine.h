// A model behind an OpenAI-compatible server, as an engine.
#pragma once

#include <memory>
#include <string>

#include "harness/config/served.h"
#include "harness/engine/engine.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::served {

/// What a server says of itself, without being asked for an answer.
struct ServerIdentity {
  std::string model;    ///< as its list of models has it; empty where it has no list
  std::string version;  ///< what it runs: "vllm 0.32.0", "llama.cpp b4321"; empty where not told
  std::int64_t longest = 0;  ///< tokens that a prompt and its answer may have; 0: not told
  bool operator==(const ServerIdentity&) const = default;
};

/// Asks a server who it is: its list of models (which must have the one that is asked for, when it
/// is told), its version. Throws DataError when nobody answers, or the key is refused.
ServerIdentity identify(const ServedConfig& config, const std::string& key);

/// Asks one served model. One group of one variant. Answers come as streams, which are closed when
/// they are decided. What a later try may spare is tried again, with growing pauses; less is asked
/// at once where the server has too much.
class OpenAiEngine : public Engine {
 public:
  /// `tokenizer` spells stop tokens and counts; it outlives the engine. `key` may be empty.
  OpenAiEngine(ServedConfig config, std::string key, const models::Tokenizer& tokenizer);
  ~OpenAiEngine() override;

  Capabilities capabilities() const override;
  /// Failures besides "failed": "cut" (the server read fewer tokens than were sent), "refused" (it
  /// would not answer, and the rest of the list is not asked). Throws DataError when no request
  /// would be spared: the key or the model is unknown to the server, or nobody is there.
  void answer(RequestList list, const AnswerSink& sink) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace niah::served
