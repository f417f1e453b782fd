#include "harness/training/train.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/progress.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/training/training_data.h"
#include "models/checkpoint/adapter_config.h"
#include "models/checkpoint/checkpoint.h"
#include "models/registry.h"
#include "models/surgery/restore.h"
#include "models/training/gradient_locality.h"
#include "models/training/held_rows.h"
#include "models/weights.h"
#include "reports/record.h"

namespace niah::zoo {
namespace {

namespace fs = std::filesystem;

/// Steps between two measurements of where the gradient comes from.
constexpr std::int64_t kLocalityEvery = 10;

struct Start {
  nlohmann::json config;
  std::shared_ptr<models::CausalLM> model;
  std::string sha256;        ///< of the checkpoint's weights; empty for a fresh model
  models::WeightMap before;  ///< the checkpoint's weights; empty for a fresh model
  std::shared_ptr<models::LoraFactors> lora{};  ///< null: the model's own weights are trained
};

/// A fresh model, or the checkpoint to fine-tune with its weights copied so that they can change.
Start make_start(const Recipe& recipe) {
  if (recipe.start.empty()) {
    const auto layers = recipe.model.find("num_hidden_layers");
    const bool said = layers != recipe.model.end() && layers->is_number_integer();
    models::RandomSource source(recipe.seed, said ? layers->get<std::int64_t>() : 1);
    return {recipe.model, models::make_model(recipe.model, recipe.name, source), "", {}};
  }
  const auto checkpoint = std::make_shared<models::Checkpoint>(recipe.start);
  models::WeightMap before = models::load_weights(checkpoint, at::kFloat), weights;
  for (const auto& [name, tensor] : before) weights.emplace(name, tensor.clone());
  Start start = {checkpoint->config(),
                 models::build_model(checkpoint->config(), recipe.start.string(), weights),
                 checkpoint->weights_sha256(), std::move(before)};
  if (recipe.lora)
    start.lora = std::make_shared<models::LoraFactors>(*start.model, *recipe.lora, recipe.seed);
  return start;
}

models::Trainer make_trainer(const Recipe& recipe, const Start& start) {
  return start.lora ? models::Trainer(start.model, start.lora, recipe.train)
                    : models::Trainer(start.model, recipe.train);
}

std::string short_sha(const std::string& sha256) { return sha256.substr(0, 16); }

/// Everything that decides the result, by its name in the recipe. The state of a training that
/// differs in any of it is not continued.
models::TrainNotes identity_of(const Recipe& recipe, const Start& start,
                               const models::Tokenizer& tokenizer) {
  const auto text = [](const auto& value) { return fmt::format("{}", value); };
  const models::TrainOptions& train = recipe.train;
  const DataSpec& data = recipe.data;
  models::TrainNotes notes = {
      {"seed", text(recipe.seed)},
      {"tokenizer", short_sha(tokenizer.sha256())},
      {recipe.start.empty() ? "model" : "start",
       short_sha(recipe.start.empty() ? sha256_hex(recipe.model.dump()) : start.sha256)},
      {"train.steps", text(train.steps)},
      {"train.learning_rate", text(train.learning_rate.peak)},
      {"train.warmup_steps", text(train.learning_rate.warmup_steps)},
      {"train.decay_from", text(train.learning_rate.decay_from)},
      {"train.decay_to", text(train.learning_rate.floor)},
      {"train.beta1", text(train.beta1)},
      {"train.beta2", text(train.beta2)},
      {"train.weight_decay", text(train.weight_decay)},
      {"train.clip", text(train.clip)},
      {"train.bf16", text(train.bf16)},
      {"rescale_qk", text(recipe.rescale_qk)},
      {"data.kind", text(static_cast<int>(data.kind))}};
  for (const models::WeightPart part : train.freeze)
    notes["freeze"] += models::weight_part_name(part) + "; ";
  if (recipe.lora) {
    notes["lora.rank"] = text(recipe.lora->rank);
    notes["lora.alpha"] = text(recipe.lora->alpha);
    for (const models::WeightPart part : recipe.lora->parts)
      notes["lora.parts"] += models::weight_part_name(part) + "; ";
  }
  if (recipe.restore_qk_every > 0) notes["restore_qk_every"] = text(recipe.restore_qk_every);
  if (data.kind == DataKind::kNone) return notes;
  if (data.kind != DataKind::kDocuments) {
    notes["data.batch_problems"] = text(data.batch_problems);
    return notes;
  }
  notes["data.text"] = short_sha(tasks::open_haystack(data.text)->sha256());
  notes["data.text.held_out"] = text(data.held_out);
  notes["data.batch_tokens"] = text(data.batch_tokens);
  for (const Phase& phase : data.phases)
    notes["data.phases"] += fmt::format("{} until {}; ", phase.tokens, phase.until);
  for (const auto& [kind, share] : data.mix)
    notes["data.mix"] += fmt::format("{} {}; ", static_cast<int>(kind), share);
  return notes;
}

constexpr const char* kLocalityNote = "locality";

/// Throws UsageError, naming what differs, unless the state was made with this recipe.
void require_same_training(const models::TrainNotes& before, const models::TrainNotes& now,
                           const fs::path& state) {
  std::vector<std::string> differences;
  const auto value = [](const models::TrainNotes& notes, const std::string& name) {
    const auto found = notes.find(name);
    if (found == notes.end()) return std::string("not said");
    std::string_view text = found->second;
    if (text.ends_with("; ")) text.remove_suffix(2);  // of a list
    return std::string(text);
  };
  models::TrainNotes names = before;
  names.insert(now.begin(), now.end());
  names.erase(kLocalityNote);
  for (const auto& [name, ignored] : names)
    if (value(before, name) != value(now, name))
      differences.push_back(
          fmt::format("{} was {}, is now {}", name, value(before, name), value(now, name)));
  if (differences.empty()) return;
  throw UsageError(
      fmt::format("continuing from {}: it is the state of another training: {}. Give the recipe "
                  "that it was begun with, or remove {} to begin anew",
                  state.string(), fmt::join(differences, "; "), state.parent_path().string()));
}

/// Multiplies W_Q and W_K of the softmax layers.
void rescale_qk(models::CausalLM& model, double factor) {
  if (factor == 1) return;
  const at::NoGradGuard no_grad;
  models::WeightMap weights = models::parameters_of(model);
  for (const models::MixerInfo& mixer : model.info().mixers)
    for (const models::PartRows& part : mixer.parts)
      if (mixer.attends && (part.part == models::Part::kQuery || part.part == models::Part::kKey))
        models::view_rows(weights.at(part.rows.tensor), part.rows).mul_(factor);
}

/// "q 3.1 %, k 2.9 %, embedding 0 %": how far the fine-tune moved each part.
std::string drift_in_words(const Start& start) {
  std::vector<std::string> parts;
  for (const auto& [name, drift] : models::part_drift(*start.model, start.before))
    parts.push_back(fmt::format("{} {:.3g} %", name, 100 * drift));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// How the gradient of W_Q and W_K falls with distance, for reports of this checkpoint.
std::string describe_locality(const models::LocalityProbe& probe) {
  const models::GradientLocality locality = probe.result();
  const auto rounded = [](const std::vector<double>& values) {
    std::vector<double> out;
    for (const double value : values) out.push_back(std::stod(fmt::format("{:.4g}", value)));
    return out;
  };
  const auto decay = [&](const std::vector<double>& g) {
    const auto width = models::fit_decay(g, locality.pairs);
    return width ? nlohmann::json(std::stod(fmt::format("{:.4g}", *width))) : nlohmann::json();
  };
  const nlohmann::ordered_json json = {
      {"batches", probe.batches()},       {"decay_query", decay(locality.query)},
      {"decay_key", decay(locality.key)}, {"pairs", locality.pairs},
      {"query", rounded(locality.query)}, {"key", rounded(locality.key)}};
  return json.dump() + "\n";
}

constexpr const char *kWeights = "model.safetensors", *kConfig = "config.json";

/// Writes the checkpoint, or the adapter, with all that belongs to it.
void write_result(const Recipe& recipe, const Start& start, const models::LocalityProbe& probe,
                  const fs::path& folder) {
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"recipe", recipe.name}};
  if (start.lora) {
    start.lora->write(folder, recipe.start.lexically_normal(), metadata);
  } else {
    models::save_weights(folder / kWeights, models::parameters_of(*start.model), metadata);
    write_file(folder / kConfig, start.config.dump(2) + "\n");
  }
  const fs::path& tokenizer = recipe.tokenizer;
  const fs::path from = is_folder(tokenizer) ? tokenizer : tokenizer.parent_path();
  for (const char* file : {"tokenizer.model", "tokenizer.json", "tokenizer_config.json"})
    if (is_there(from / file)) fs::copy_file(from / file, folder / file);
  if (probe.batches() > 0) write_file(folder / reports::kLocalityFile, describe_locality(probe));
}

bool holds_result(const fs::path& out) {
  return (is_there(out / kWeights) && is_there(out / kConfig)) ||
         (is_there(out / models::kAdapterWeights) && is_there(out / models::kAdapterConfig));
}

const char* result_name(const Recipe& recipe) { return recipe.lora ? "adapter" : "checkpoint"; }

/// The folder of a training in progress, "<out>.work", which stays when the training is stopped or
/// killed. A marker file says that it is ours; in a folder without one nothing is written or
/// removed.
class WorkFolder {
 public:
  /// `out` has a name. Throws UsageError for a folder that is not a training's, DataError when
  /// another process trains in it or it cannot be written.
  explicit WorkFolder(const fs::path& out) : folder_(place_for(out)) {
    require_own_folder(folder_, {kMarker}, "keeping the state of a training");
    ensure_writable_folder(folder_);
    lock_ = std::make_unique<AppendFile>(folder_ / kMarker);
  }

  /// Whether a training to `out` was killed after its result appeared, so that only this folder
  /// remains to be removed.
  static bool is_all_that_is_left(const fs::path& out) {
    const fs::path folder = place_for(out);
    return holds_result(out) && is_there(folder / kMarker) && is_there(folder / kFinished);
  }

  fs::path state() const { return folder_ / "state.safetensors"; }
  /// To be called before the result appears.
  void set_finished() { write_file(folder_ / kFinished, ""); }

  /// Removes what training wrote, and the folder when nothing else is in it.
  void remove() {
    std::error_code ignored;
    fs::remove(state(), ignored);
    fs::remove(folder_ / kFinished, ignored);
    fs::remove(folder_ / kMarker, ignored);
    fs::remove(folder_, ignored);
  }

 private:
  static constexpr const char* kMarker = ".niah-training";
  static constexpr const char* kFinished = "finished";
  static fs::path place_for(const fs::path& out) {
    return out.parent_path() / (out.filename().string() + ".work");
  }

  fs::path folder_;
  std::unique_ptr<AppendFile> lock_;
};

/// A smoothed figure that starts at its first value.
class Smoothed {
 public:
  double add(double value) {
    return value_ = started_ ? 0.95 * value_ + 0.05 * value : start(value);
  }

 private:
  double start(double value) {
    started_ = true;
    return value;
  }
  double value_ = 0;
  bool started_ = false;
};

/// Mean loss of the answers: the tokens with a weight above 2.5.
std::optional<double> answer_loss(const models::Batch& batch, const models::StepResult& result) {
  const at::Tensor answers = batch.weights.narrow(1, 1, batch.weights.size(1) - 1).gt(2.5);
  if (!answers.any().item<bool>()) return std::nullopt;
  return result.token_loss.masked_select(answers).mean().item<double>();
}

void say_what_was_trained(const Recipe& recipe, const TrainRun& run, const Start& start,
                          std::int64_t tokens, double seconds) {
  const std::string name = single_line(recipe.name);
  if (!start.before.empty())
    say("{}: moved from {}: {}\n", name, single_line(recipe.start.string()), drift_in_words(start));
  const std::string done =
      recipe.train.steps == 0
          ? "rescaled"
          : fmt::format("{} step{}, {} tokens in {}", recipe.train.steps,
                        recipe.train.steps == 1 ? "" : "s", tokens, format_duration(seconds));
  say("{}: {}; {} in {}\n", name, done, result_name(recipe), single_line(run.out.string()));
}

}  // namespace

void train(const Recipe& recipe, const TrainRun& run) {
  const fs::path out = normal_path(run.out);
  if (WorkFolder::is_all_that_is_left(out)) {
    WorkFolder(out).remove();
    say("{}: the {} was whole already, in {}\n", single_line(recipe.name), result_name(recipe),
        single_line(run.out.string()));
    return;
  }
  PendingFolder result(out);
  WorkFolder work(out);
  const fs::path state = work.state();

  const Start start = make_start(recipe);
  const auto tokenizer = models::open_tokenizer(recipe.tokenizer);
  const TrainingData data(recipe, tokenizer);
  models::TrainNotes notes = identity_of(recipe, start, *tokenizer);
  models::Trainer trainer = make_trainer(recipe, start);
  models::HeldRows query_and_key(
      *start.model, recipe.restore_qk_every > 0
                        ? std::set{models::WeightPart::kQuery, models::WeightPart::kKey}
                        : std::set<models::WeightPart>());
  models::LocalityProbe probe;
  if (is_there(state)) {
    const models::TrainNotes before = models::Trainer::read_notes(state);
    require_same_training(before, notes, state);
    trainer.load(state);
    if (const auto sums = before.find(kLocalityNote); sums != before.end())
      probe.restore(sums->second);
    say("continuing {} after step {} of {}\n", single_line(recipe.name), trainer.steps_done(),
        recipe.train.steps);
  }
  const auto save = [&] {
    notes[kLocalityNote] = probe.state();
    trainer.save(state, notes);
  };

  Progress progress(recipe.name, static_cast<double>(recipe.train.steps - trainer.steps_done()),
                    run.quiet);
  Smoothed loss, answers;
  std::string answer_note;
  std::int64_t tokens = 0;
  while (trainer.steps_done() < recipe.train.steps) {
    if (interrupt_requested()) {
      save();
      throw Interrupted(fmt::format("stopped after step {}; run the same command to continue",
                                    trainer.steps_done()));
    }
    const models::Batch batch = data.batch(trainer.steps_done());
    // Only for fine-tunes: the measurement is about forgetting, and a fresh model has nothing to
    // forget.
    if (!recipe.start.empty() && trainer.steps_done() % kLocalityEvery == 0)
      probe.add(*start.model, batch);
    const models::StepResult result = trainer.step(batch);
    if (recipe.restore_qk_every > 0 && trainer.steps_done() % recipe.restore_qk_every == 0)
      query_and_key.put_back();
    tokens += batch.ids.numel();
    if (const auto value = answer_loss(batch, result))
      answer_note = fmt::format("  answers {:.3f}", answers.add(*value));
    progress.advance(1, fmt::format("step {}  loss {:.3f}{}  {:.0f} tokens/s", trainer.steps_done(),
                                    loss.add(result.loss), answer_note,
                                    static_cast<double>(tokens) / progress.elapsed()));
    if (trainer.steps_done() % recipe.save_every == 0) save();
  }
  rescale_qk(*start.model, recipe.rescale_qk);
  write_result(recipe, start, probe, result.path());
  work.set_finished();
  result.commit();
  work.remove();
  progress.clear();
  say_what_was_trained(recipe, run, start, tokens, progress.elapsed());
}

}  // namespace niah::zoo
