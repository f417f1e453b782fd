#include "models/training/trainer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "models/training/held_rows.h"
#include "models/weights.h"

namespace niah::models {
namespace {

/// Turns bf16 autocast on or off for its lifetime.
class Autocast {
 public:
  explicit Autocast(bool on) : before_(at::autocast::is_autocast_enabled(at::kCPU)) {
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCPU, on);
  }
  ~Autocast() {
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCPU, before_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool before_;
};

/// All parameters of a model but for the frozen parts.
class OwnWeights : public Trainable {
 public:
  OwnWeights(const CausalLM& model, const std::set<WeightPart>& freeze) : frozen_(model, freeze) {
    if (are_all_parts(model.info(), freeze))
      throw UsageError("training: every part of the model is frozen; nothing is left to train");
    for (const auto& item : model.named_parameters())
      parameters_.emplace_back(item.key(), item.value());
  }

  std::vector<std::pair<std::string, at::Tensor>> tensors() const override { return parameters_; }
  void take_gradients() override { frozen_.clear_gradients(); }
  void update_model() override { frozen_.put_back(); }  // from weight decay

 private:
  HeldRows frozen_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
};

const std::string kStepsDone = "steps_done";
const std::string kNote = "note.";

std::int64_t steps_of(const SafetensorsFile& file, const std::filesystem::path& path) {
  const auto steps = file.metadata().find(kStepsDone);
  const auto count =
      steps == file.metadata().end() ? std::nullopt : parse_integer(steps->second, kNotNegative);
  if (!count)
    throw DataError(fmt::format("resuming from {}: it is not a training state", path.string()));
  return *count;
}

}  // namespace

double LearningRate::at(std::int64_t step, std::int64_t steps) const {
  const double part = static_cast<double>(step) / static_cast<double>(steps);
  const double warm =
      warmup_steps > 0
          ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(warmup_steps))
          : 1.0;
  const double decay =
      part < decay_from ? 1.0 : std::max(floor, (1 - part) / std::max(1 - decay_from, 1e-9));
  return peak * warm * decay;
}

Trainer::Trainer(const std::shared_ptr<CausalLM>& model, const TrainOptions& options)
    : Trainer(model, std::make_shared<OwnWeights>(*model, options.freeze), options) {}

Trainer::Trainer(std::shared_ptr<CausalLM> model, std::shared_ptr<Trainable> trained,
                 const TrainOptions& options)
    : model_(std::move(model)), options_(options), trained_(std::move(trained)), groups_(2) {
  groups_[0].weight_decay = options.weight_decay;
  model_->train();
  for (const auto& [name, parameter] : trained_->tensors()) {
    parameter.set_requires_grad(true);
    Group& group = groups_[parameter.dim() >= 2 ? 0 : 1];
    group.names.push_back(name);
    group.params.push_back(parameter);
    group.mean.push_back(at::zeros_like(parameter));
    group.square.push_back(at::zeros_like(parameter));
    group.steps.push_back(at::zeros({}, at::kFloat));
  }
}

std::pair<at::Tensor, at::Tensor> weighted_loss(const at::Tensor& logits, const Batch& batch) {
  const std::int64_t tokens = logits.size(1);
  const at::Tensor targets = batch.ids.narrow(1, 1, tokens);
  const at::Tensor weights = batch.weights.narrow(1, 1, tokens);
  const at::Tensor token_loss =
      at::cross_entropy_loss(logits.flatten(0, 1), targets.flatten(), {}, at::Reduction::None)
          .view(targets.sizes());
  return {(token_loss * weights).sum() / weights.sum(), token_loss};
}

StepResult Trainer::backward(const Batch& batch) {
  const std::int64_t tokens = batch.ids.size(1) - 1;
  at::Tensor logits;
  {
    const Autocast autocast(options_.bf16);
    logits = model_->forward_train(batch.ids.narrow(1, 0, tokens));
  }
  const auto [loss, token_loss] = weighted_loss(logits, batch);
  loss.backward();
  return {loss.item<double>(), token_loss.detach()};
}

void Trainer::for_each_gradient(const std::function<void(const at::Tensor&)>& use) const {
  for (const Group& group : groups_)
    for (const at::Tensor& parameter : group.params)
      if (parameter.grad().defined()) use(parameter.grad());
}

void Trainer::clip_gradients() {
  double squares = 0;
  for_each_gradient(
      [&](const at::Tensor& gradient) { squares += gradient.norm().pow(2).item<double>(); });
  const double norm = std::sqrt(squares);
  if (norm <= options_.clip) return;
  for_each_gradient(
      [&](const at::Tensor& gradient) { gradient.mul_(options_.clip / (norm + 1e-6)); });
}

StepResult Trainer::step(const Batch& batch) {
  for (const Group& group : groups_)
    for (const at::Tensor& parameter : group.params) parameter.mutable_grad() = at::Tensor();
  const StepResult result = backward(batch);
  if (!std::isfinite(result.loss))
    throw DataError(fmt::format("training step {}: the loss is not finite; lower the learning rate",
                                done_ + 1));
  trained_->take_gradients();
  clip_gradients();
  const double rate = options_.learning_rate.at(done_, options_.steps);
  const at::NoGradGuard no_grad;
  for (Group& group : groups_) {
    // An expert that no token of this batch went to has no gradient, and stays as it is.
    std::vector<at::Tensor> params, grads, mean, square, steps;
    for (std::size_t i = 0; i < group.params.size(); ++i) {
      if (!group.params[i].grad().defined()) continue;
      params.push_back(group.params[i]);
      grads.push_back(group.params[i].grad());
      mean.push_back(group.mean[i]);
      square.push_back(group.square[i]);
      steps.push_back(group.steps[i].add_(1));
    }
    if (params.empty()) continue;
    at::_fused_adamw_(params, grads, mean, square, /*max_exp_avg_sqs=*/{}, steps, rate,
                      options_.beta1, options_.beta2, group.weight_decay, options_.eps,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
  trained_->update_model();
  ++done_;
  return result;
}

void Trainer::save(const std::filesystem::path& path, const TrainNotes& notes) const {
  WeightMap tensors;
  for (const Group& group : groups_)
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      tensors["param." + group.names[i]] = group.params[i];
      tensors["mean." + group.names[i]] = group.mean[i];
      tensors["square." + group.names[i]] = group.square[i];
      if (group.steps[i].item<double>() != static_cast<double>(done_))
        tensors["steps." + group.names[i]] = group.steps[i];
    }
  TrainNotes metadata = {{kStepsDone, std::to_string(done_)}};
  for (const auto& [name, value] : notes) metadata[kNote + name] = value;
  save_weights(path, tensors, metadata);
}

TrainNotes Trainer::read_notes(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  steps_of(file, path);
  TrainNotes notes;
  for (const auto& [key, value] : file.metadata())
    if (key.starts_with(kNote)) notes.emplace(key.substr(kNote.size()), value);
  return notes;
}

void Trainer::load(const std::filesystem::path& path) {
  const auto file = std::make_shared<SafetensorsFile>(path);
  const std::int64_t steps = steps_of(*file, path);
  const at::NoGradGuard no_grad;
  const auto copy = [&](at::Tensor& into, const std::string& name) {
    const TensorInfo* info = file->find(name);
    if (info == nullptr || at::IntArrayRef(info->shape) != into.sizes())
      throw DataError(fmt::format("resuming from {}: it belongs to another model ({} does not fit)",
                                  path.string(), name));
    into.copy_(view_tensor(*info, file->bytes(*info), file));
  };
  done_ = steps;
  for (Group& group : groups_)
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      copy(group.params[i], "param." + group.names[i]);
      copy(group.mean[i], "mean." + group.names[i]);
      copy(group.square[i], "square." + group.names[i]);
      group.steps[i].fill_(static_cast<double>(done_));
      if (file->find("steps." + group.names[i]) != nullptr)
        copy(group.steps[i], "steps." + group.names[i]);
    }
  trained_->update_model();
}

RandomSource::RandomSource(std::uint64_t seed, std::int64_t layers)
    : generator_(at::detail::createCPUGenerator(seed)), layers_(layers) {}

at::Tensor RandomSource::tensor(const std::string& name, at::IntArrayRef shape) {
  if (shape.size() < 2)
    return name.ends_with(".bias") ? at::zeros(shape, at::kFloat) : at::ones(shape, at::kFloat);
  double deviation = 1 / std::sqrt(static_cast<double>(shape.back()));
  if (name.find("embed_tokens") != std::string::npos) deviation = 0.02;
  if (name.find("o_proj") != std::string::npos || name.find("down_proj") != std::string::npos)
    deviation /= std::sqrt(2.0 * static_cast<double>(layers_));
  return at::empty(shape, at::kFloat).normal_(0, deviation, generator_);
}

WeightMap parameters_of(const CausalLM& model) {
  WeightMap weights;
  for (const auto& item : model.named_parameters()) weights.emplace(item.key(), item.value());
  return weights;
}

}  // namespace niah::models
