#include "models/instruments/selftest.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "harness/base/interrupt.h"
#include "models/instruments/verify.h"

namespace niah::models {
namespace {

// Differences observed on random and trained models: 4e-5 in fp32, 0.02 (mean) in bf16. An error at
// a chunk boundary gives differences as large as the logits themselves.
constexpr double kTolerance = 1e-3;
constexpr double kTolerance16 = 0.1;
// In 16 bits, one position in so many may have another best token: a rounding may send its token to
// another expert, or exceed the margin that follows from the mean difference. An error at a
// boundary changes every position after it.
constexpr std::int64_t kContradictionsOneIn = 16;
constexpr std::int64_t kLargePiece = 4096;
constexpr std::int64_t kDecoded = 66;  // more than one chunk (64 tokens) of the linear ops

using Cuts = std::vector<std::int64_t>;  // where each piece of a text ends, ascending

at::Tensor random_ids(const CausalLM& model, std::int64_t tokens) {
  at::Generator generator = at::detail::createCPUGenerator(/*seed=*/1);
  const at::Device device = model.parameters().front().device();
  return at::randint(0, model.info().vocab_size, {1, tokens}, generator, at::kLong).to(device);
}

std::set<std::int64_t> boundaries(const CausalLM& model, std::int64_t chunk) {
  std::set<std::int64_t> found = {64, 128, chunk, 2 * chunk};
  for (const MixerInfo& mixer : model.info().mixers)
    if (mixer.cost.window > 0 && mixer.cost.window <= kLargePiece) found.insert(mixer.cost.window);
  return found;
}

/// Splits a text into large pieces that end just before a boundary, and single tokens across it.
Cuts cuts_around(const std::set<std::int64_t>& boundaries, std::int64_t tokens) {
  std::set<std::int64_t> cuts = {tokens};
  for (const std::int64_t at : boundaries)
    for (std::int64_t cut = std::max<std::int64_t>(1, at - 2); cut <= at + 2; ++cut)
      cuts.insert(cut);
  cuts.erase(cuts.upper_bound(tokens), cuts.end());
  return {cuts.begin(), cuts.end()};
}

Cuts cuts_every(std::int64_t piece, std::int64_t tokens) {
  Cuts cuts;
  for (std::int64_t at = piece; at < tokens; at += piece) cuts.push_back(at);
  cuts.push_back(tokens);
  return cuts;
}

/// Logits [P, vocab] at the P given positions of `ids`, which are read piece by piece.
at::Tensor logits_at(CausalLM& model, const at::Tensor& ids, const Cuts& cuts,
                     const std::vector<std::int64_t>& positions) {
  State state(model.num_layers());
  std::vector<at::Tensor> rows;
  std::int64_t begin = 0;
  for (const std::int64_t end : cuts) {
    stop_if_interrupted();
    const Pass pass = model.begin({begin}, end - begin);
    at::Tensor hidden = model.embed(ids.narrow(1, begin, end - begin));
    for (std::int64_t i = 0; i < model.num_layers(); ++i)
      hidden = model.layer(i, hidden, &state.layer(i), pass, end - begin);
    state.advance(end - begin);
    for (const std::int64_t position : positions)
      if (position >= begin && position < end)
        rows.push_back(hidden.narrow(1, position - begin, 1).clone());
    begin = end;
  }
  return model.head(at::cat(rows, 1)).squeeze(0);
}

/// Outputs [kDecoded, d] of one layer alone for the last tokens of `ids`.
at::Tensor layer_output(CausalLM& model, std::int64_t index, const at::Tensor& ids,
                        const Cuts& cuts) {
  LayerState state;
  std::vector<at::Tensor> rows;
  const std::int64_t from = ids.size(1) - kDecoded;
  std::int64_t begin = 0;
  for (const std::int64_t end : cuts) {
    stop_if_interrupted();
    const Pass pass = model.begin({begin}, end - begin);
    const std::int64_t wanted = std::clamp<std::int64_t>(end - from, 0, end - begin);
    const at::Tensor out =
        model.layer(index, model.embed(ids.narrow(1, begin, end - begin)), &state, pass, wanted);
    if (wanted > 0) rows.push_back(out);
    begin = end;
  }
  return at::cat(rows, 1).squeeze(0);
}

SelftestCheck compare(std::string what, const at::Tensor& got, const at::Tensor& reference,
                      bool are_logits, bool low_precision) {
  SelftestCheck check;
  check.what = std::move(what);
  check.tolerance = low_precision ? kTolerance16 : kTolerance;
  const at::Tensor expected = reference.to(at::kFloat);
  const at::Tensor difference = (got.to(at::kFloat) - expected).abs();
  const double scale = std::max(expected.std().item<double>(), 1e-30);
  check.max_difference = difference.max().item<double>() / scale;
  check.mean_difference = difference.mean().item<double>() / scale;
  std::int64_t tolerated = 0;
  if (are_logits) {
    if (low_precision) tolerated = expected.size(0) / kContradictionsOneIn;
    const at::Tensor differs = got.argmax(-1).ne(expected.argmax(-1));
    check.contradictions =
        differs.logical_and(clear_positions(expected, check.mean_difference * scale))
            .sum()
            .item<std::int64_t>();
  }
  const double deviation = low_precision ? check.mean_difference : check.max_difference;
  // False for NaN.
  check.passed = deviation <= check.tolerance && check.contradictions <= tolerated;
  return check;
}

/// The first and the last layer of each kind of mixer that has a recurrent state.
std::set<std::int64_t> recurrent_layers(const CausalLM& model) {
  std::map<std::string, std::int64_t> first, last;
  for (std::int64_t i = 0; i < model.num_layers(); ++i) {
    const MixerInfo& mixer = model.info().mixers[static_cast<std::size_t>(i)];
    if (!mixer.is_recurrent()) continue;
    first.emplace(mixer.name, i);
    last[mixer.name] = i;
  }
  std::set<std::int64_t> layers;
  for (const auto& [kind, index] : first) layers.insert({index, last[kind]});
  return layers;
}

std::int64_t short_tokens(const CausalLM& model, const SelftestOptions& options) {
  return *boundaries(model, options.chunk).rbegin() + kDecoded;
}

}  // namespace

std::string describe(const SelftestCheck& check) {
  return fmt::format("{:7} {}: differs by {:.1e} at most, {:.1e} on average (tolerance {:.0e}){}",
                     check.passed ? "ok" : "FAILED", check.what, check.max_difference,
                     check.mean_difference, check.tolerance,
                     check.contradictions > 0
                         ? fmt::format("; another best token at {} clear position{}",
                                       check.contradictions, check.contradictions == 1 ? "" : "s")
                         : "");
}

std::vector<SelftestCheck> selftest(CausalLM& model, const SelftestOptions& options) {
  const at::NoGradGuard no_grad;
  const bool low_precision = model.parameters().front().scalar_type() != at::kFloat;
  std::vector<SelftestCheck> checks;

  const std::set<std::int64_t> edges = boundaries(model, options.chunk);
  const std::int64_t tokens = short_tokens(model, options);
  const at::Tensor ids = random_ids(model, tokens);
  std::vector<std::int64_t> positions = cuts_around(edges, tokens);
  for (std::int64_t& position : positions) --position;  // the last of each piece
  const at::Tensor whole = logits_at(model, ids, {tokens}, positions);
  checks.push_back(compare(
      fmt::format("prefill in chunks of {} = whole prefill, {} tokens", options.chunk, tokens),
      logits_at(model, ids, cuts_every(options.chunk, tokens), positions), whole,
      /*are_logits=*/true, low_precision));
  checks.push_back(compare(fmt::format("decode across {} boundaries = whole prefill", edges.size()),
                           logits_at(model, ids, cuts_around(edges, tokens), positions), whole,
                           /*are_logits=*/true, low_precision));

  const at::Tensor long_ids = random_ids(model, options.long_tokens);
  const std::int64_t prefill = options.long_tokens - kDecoded;
  Cuts stepwise = cuts_every(options.chunk, prefill);
  for (std::int64_t at = prefill + 1; at <= options.long_tokens; ++at) stepwise.push_back(at);
  for (const std::int64_t index : recurrent_layers(model)) {
    const std::string& kind = model.info().mixers[static_cast<std::size_t>(index)].name;
    checks.push_back(
        compare(fmt::format("layer {} ({}): chunks of {} and decode = pieces of {}, {} tokens",
                            index, kind, options.chunk, kLargePiece, options.long_tokens),
                layer_output(model, index, long_ids, stepwise),
                layer_output(model, index, long_ids, cuts_every(kLargePiece, options.long_tokens)),
                /*are_logits=*/false, low_precision));
  }
  return checks;
}

double selftest_flops(const CausalLM& model, const SelftestOptions& options) {
  double parameters = 0;
  for (const at::Tensor& tensor : model.parameters())
    parameters += static_cast<double>(tensor.numel());
  const double layer = parameters / static_cast<double>(model.num_layers());
  const double recurrent = static_cast<double>(recurrent_layers(model).size());
  return 2 * (3 * static_cast<double>(short_tokens(model, options)) * parameters +
              2 * static_cast<double>(options.long_tokens) * recurrent * layer);
}

}  // namespace niah::models
