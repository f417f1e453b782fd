#include "models/instruments/verify.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/weights.h"

namespace niah::models {
namespace {

// Margin in mean differences. In bf16, no disagreement was observed at margins above 2.6.
constexpr double kClearMargin = 10;

at::Tensor entry(const std::shared_ptr<SafetensorsFile>& file, const char* name,
                 std::int64_t dims) {
  const TensorInfo* info = file->find(name);
  if (info == nullptr)
    throw DataError(
        fmt::format("reading the golden file {}: it has no '{}'", file->path().string(), name));
  at::Tensor tensor = view_tensor(*info, file->bytes(*info), file);
  if (tensor.dim() != dims || tensor.size(0) != 1)
    throw DataError(fmt::format("reading the golden file {}: '{}' has shape {}",
                                file->path().string(), name, format_shape(info->shape)));
  return tensor;
}

at::Tensor prefill_logits(CausalLM& model, const at::Tensor& ids, std::int64_t chunk) {
  State state(model.num_layers());
  std::vector<at::Tensor> parts;
  const std::int64_t total = ids.size(1);
  const std::int64_t step = chunk > 0 ? chunk : total;
  for (std::int64_t at = 0; at < total; at += step)
    parts.push_back(
        model.forward(ids.narrow(1, at, std::min(step, total - at)), state, Logits::kAll));
  return at::cat(parts, 1).cpu();
}

at::Tensor decode_logits(CausalLM& model, const at::Tensor& ids, std::int64_t prefill) {
  State state(model.num_layers());
  std::vector<at::Tensor> parts = {model.forward(ids.narrow(1, 0, prefill), state, Logits::kLast)};
  for (std::int64_t at = prefill; at < ids.size(1); ++at)
    parts.push_back(model.forward(ids.narrow(1, at, 1), state, Logits::kLast));
  return at::cat(parts, 1).cpu();
}

/// Counts the greedy tokens that equal the recorded ones.
void compare_greedy(CausalLM& model, const Golden& golden, VerifyResult& result) {
  constexpr float kTie = 1e-3F;
  State state(model.num_layers());
  at::Tensor logits =
      model.forward(golden.input_ids.narrow(1, 0, golden.prefill_length), state, Logits::kLast);
  for (std::int64_t i = 0; i < golden.greedy_ids.size(0); ++i) {
    const at::Tensor chosen = logits.select(1, 0).argmax(-1, /*keepdim=*/true);  // [1, 1]
    const bool same = chosen.item<std::int64_t>() == golden.greedy_ids[i].item<std::int64_t>();
    if (!same && golden.greedy_margin[i].item<float>() < kTie) return;
    ++result.greedy_compared;
    if (!same) return;
    ++result.greedy_equal;
    logits = model.forward(chosen, state, Logits::kLast);
  }
}

void require_finite(const at::Tensor& logits, const char* what) {
  if (at::isfinite(logits).all().item<bool>()) return;
  throw DataError(fmt::format("verifying: a {} logit is not finite", what));
}

}  // namespace

Golden read_golden(const std::filesystem::path& path) {
  require_regular_file(path, "reading the golden file");
  const auto file = std::make_shared<SafetensorsFile>(path);
  Golden golden;
  golden.input_ids = entry(file, "input_ids", 2).to(at::kLong);
  golden.logits = entry(file, "logits", 3).to(at::kFloat);
  golden.decode_logits = entry(file, "decode_logits", 3).to(at::kFloat);
  golden.prefill_length = entry(file, "prefill_length", 1).item().toLong();
  if (file->find("greedy_ids") != nullptr && file->find("greedy_margin") != nullptr) {
    golden.greedy_ids = entry(file, "greedy_ids", 2).to(at::kLong).squeeze(0);
    golden.greedy_margin = entry(file, "greedy_margin", 2).to(at::kFloat).squeeze(0);
  }
  const std::int64_t total = golden.input_ids.size(1);
  const bool fits =
      golden.logits.size(1) == total && golden.prefill_length >= 1 &&
      golden.prefill_length <= total &&
      golden.decode_logits.size(1) == total - golden.prefill_length + 1 &&
      golden.decode_logits.size(2) == golden.logits.size(2) &&
      golden.greedy_ids.defined() == golden.greedy_margin.defined() &&
      (!golden.greedy_ids.defined() || golden.greedy_ids.sizes() == golden.greedy_margin.sizes());
  if (!fits)
    throw DataError(
        fmt::format("reading the golden file {}: the sizes of input_ids, logits, "
                    "decode_logits, prefill_length, greedy_ids and greedy_margin do not fit "
                    "together",
                    path.string()));
  return golden;
}

at::Tensor clear_positions(const at::Tensor& logits, double mean_difference) {
  const auto best = std::get<0>(logits.topk(2, -1));
  const at::Tensor margin = best.select(-1, 0) - best.select(-1, 1);
  return margin.gt(kClearMargin * mean_difference);
}

VerifyResult verify(CausalLM& model, const Golden& golden, std::int64_t chunk) {
  if (golden.logits.size(2) != model.info().vocab_size)
    throw DataError(fmt::format("verifying: the golden file has {} logits a position, the model {}",
                                golden.logits.size(2), model.info().vocab_size));
  const at::Tensor prefill = prefill_logits(model, golden.input_ids, chunk);
  const at::Tensor decode = decode_logits(model, golden.input_ids, golden.prefill_length);
  require_finite(prefill, "prefill");
  require_finite(decode, "decode");

  const at::Tensor ours = at::cat({prefill, decode}, 1).squeeze(0);
  const at::Tensor theirs = at::cat({golden.logits, golden.decode_logits}, 1).squeeze(0);
  const at::Tensor same = ours.argmax(-1).eq(theirs.argmax(-1));
  VerifyResult result;
  result.prefill_max_abs_diff = (prefill - golden.logits).abs().max().item<double>();
  result.decode_max_abs_diff = (decode - golden.decode_logits).abs().max().item<double>();
  result.mean_abs_diff = (ours - theirs).abs().mean().item<double>();
  result.argmax_agreement = same.to(at::kDouble).mean().item<double>();
  const at::Tensor clear = same.masked_select(clear_positions(theirs, result.mean_abs_diff));
  result.clear_argmax_agreement =
      clear.numel() == 0 ? 1 : clear.to(at::kDouble).mean().item<double>();
  result.positions = ours.size(0);
  if (golden.greedy_ids.defined()) compare_greedy(model, golden, result);
  return result;
}

}  // namespace niah::models
