#include "models/training/trainer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/base/error.h"
#include "harness/base/numbers.h"

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

Trainer::Trainer(std::shared_ptr<CausalLM> model, const TrainOptions& options)
    : model_(std::move(model)), options_(options), frozen_(*model_, options.freeze), groups_(2) {
  groups_[0].weight_decay = options.weight_decay;
  model_->train();
  for (auto& item : model_->named_parameters()) {
    at::Tensor parameter = item.value();
    parameter.set_requires_grad(true);
    Group& group = groups_[parameter.dim() >= 2 ? 0 : 1];
    group.names.push_back(item.key());
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

void Trainer::clip_gradients() {
  double squares = 0;
  for (const Group& group : groups_)
    for (const at::Tensor& parameter : group.params)
      squares += parameter.grad().norm().pow(2).item<double>();
  const double norm = std::sqrt(squares);
  if (norm <= options_.clip) return;
  for (const Group& group : groups_)
    for (const at::Tensor& parameter : group.params)
      parameter.grad().mul_(options_.clip / (norm + 1e-6));
}

StepResult Trainer::step(const Batch& batch) {
  for (const Group& group : groups_)
    for (const at::Tensor& parameter : group.params) parameter.mutable_grad() = at::Tensor();
  const StepResult result = backward(batch);
  if (!std::isfinite(result.loss))
    throw DataError(fmt::format("training step {}: the loss is not finite; lower the learning rate",
                                done_ + 1));
  frozen_.clear_gradients();
  clip_gradients();
  const double rate = options_.learning_rate.at(done_, options_.steps);
  const at::NoGradGuard no_grad;
  for (Group& group : groups_) {
    std::vector<at::Tensor> grads;
    for (std::size_t i = 0; i < group.params.size(); ++i) {
      grads.push_back(group.params[i].grad());
      group.steps[i].add_(1);
    }
    at::_fused_adamw_(group.params, grads, group.mean, group.square, /*max_exp_avg_sqs=*/{},
                      group.steps, rate, options_.beta1, options_.beta2, group.weight_decay,
                      options_.eps, /*amsgrad=*/false, /*maximize=*/false);
  }
  frozen_.put_back();  // from weight decay
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
    }
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
