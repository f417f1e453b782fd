#include "harness/zoo/train.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/progress.h"
#include "harness/base/sha256.h"
#include "harness/zoo/training_data.h"
#include "models/checkpoint/checkpoint.h"
#include "models/registry.h"
#include "models/training/gradient_locality.h"
#include "reports/record.h"

namespace niah::zoo {
namespace {

namespace fs = std::filesystem;

/// Steps between two looks at where the gradient comes from.
constexpr std::int64_t kLocalityEvery = 10;

struct Start {
  nlohmann::json config;
  std::shared_ptr<models::CausalLM> model;
};

/// A fresh model, or the checkpoint to fine-tune with its weights copied so that they can change.
Start make_start(const Recipe& recipe) {
  if (recipe.start.empty()) {
    const auto layers = recipe.model.value("num_hidden_layers", std::int64_t{1});
    models::RandomSource source(recipe.seed, layers);
    return {recipe.model, models::make_model(recipe.model, recipe.name, source)};
  }
  const auto checkpoint = std::make_shared<models::Checkpoint>(recipe.start);
  models::WeightMap weights;
  for (auto& [name, tensor] : models::load_weights(checkpoint, at::kFloat))
    weights.emplace(name, tensor.clone());
  return {checkpoint->config(),
          models::build_model(checkpoint->config(), recipe.start.string(), weights)};
}

/// Multiplies W_Q and W_K of the softmax layers.
void rescale_qk(models::CausalLM& model, double factor) {
  if (factor == 1) return;
  const at::NoGradGuard no_grad;
  models::WeightMap weights = models::parameters_of(model);
  for (const auto& layer : model.softmax_layers())
    for (const auto* names : {&layer.query, &layer.key})
      for (const std::string& name : *names) weights.at(name).mul_(factor);
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

void write_checkpoint(const Recipe& recipe, const Start& start, const models::LocalityProbe& probe,
                      const TrainRun& run) {
  const fs::path partial = run.out.string() + ".partial";
  fs::remove_all(partial);
  ensure_writable_folder(partial);
  models::save_weights(partial / "model.safetensors", models::parameters_of(*start.model),
                       {{"format", "pt"}, {"recipe", recipe.name}});
  write_file(partial / "config.json", start.config.dump(2) + "\n");
  const fs::path tokenizer = recipe.tokenizer;
  const fs::path folder = fs::is_directory(tokenizer) ? tokenizer : tokenizer.parent_path();
  for (const char* file : {"tokenizer.model", "tokenizer.json", "tokenizer_config.json"})
    if (fs::exists(folder / file)) fs::copy_file(folder / file, partial / file);
  if (probe.batches() > 0) write_file(partial / reports::kLocalityFile, describe_locality(probe));
  fs::remove_all(run.out);
  fs::rename(partial, run.out);
}

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

/// Mean loss of the tokens with more than ordinary weight: the answers.
std::optional<double> answer_loss(const models::Batch& batch, const models::StepResult& result) {
  const at::Tensor answers = batch.weights.narrow(1, 1, batch.weights.size(1) - 1).gt(2.5);
  if (!answers.any().item<bool>()) return std::nullopt;
  return result.token_loss.masked_select(answers).mean().item<double>();
}

}  // namespace

void train(const Recipe& recipe, const TrainRun& run) {
  const fs::path work = run.out.string() + ".work";
  ensure_writable_folder(work);
  const fs::path state = work / "state.safetensors";

  const Start start = make_start(recipe);
  const TrainingData data(recipe, models::open_tokenizer(recipe.tokenizer));
  models::Trainer trainer(start.model, recipe.train);
  if (fs::exists(state)) {
    trainer.load(state);
    fmt::print(stderr, "continuing {} after step {} of {}\n", recipe.name, trainer.steps_done(),
               recipe.train.steps);
  }

  Progress progress(recipe.name, static_cast<double>(recipe.train.steps - trainer.steps_done()),
                    run.quiet);
  Smoothed loss, answers;
  models::LocalityProbe probe;
  std::string answer_note;
  std::int64_t tokens = 0;
  while (trainer.steps_done() < recipe.train.steps) {
    if (interrupt_requested()) {
      trainer.save(state);
      throw Interrupted(fmt::format("stopped after step {}; run the same command to continue",
                                    trainer.steps_done()));
    }
    const models::Batch batch = data.batch(trainer.steps_done());
    // Fine-tunes only: the base model's documents are no question of forgetting.
    if (!recipe.start.empty() && trainer.steps_done() % kLocalityEvery == 0)
      probe.add(*start.model, batch);
    const models::StepResult result = trainer.step(batch);
    tokens += batch.ids.numel();
    if (const auto value = answer_loss(batch, result))
      answer_note = fmt::format("  answers {:.3f}", answers.add(*value));
    progress.advance(1, fmt::format("step {}  loss {:.3f}{}  {:.0f} tokens/s", trainer.steps_done(),
                                    loss.add(result.loss), answer_note,
                                    static_cast<double>(tokens) / progress.elapsed()));
    if (trainer.steps_done() % recipe.save_every == 0) trainer.save(state);
  }
  rescale_qk(*start.model, recipe.rescale_qk);
  write_checkpoint(recipe, start, probe, run);
  fs::remove_all(work);
  progress.clear();
  fmt::print(stderr, "{}: {} steps, {} tokens in {}; checkpoint in {}\n", recipe.name,
             recipe.train.steps, tokens, format_duration(progress.elapsed()), run.out.string());
}

}  // namespace niah::zoo
