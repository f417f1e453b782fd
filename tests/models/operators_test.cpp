// How many operators a pass is made of, a layer: on a GPU each is a kernel to launch, and a token's pass is
// little else. Counted where only shapes are computed, along the way that a GPU goes. Mixtures of experts,
// whose shapes depend on numbers, are left out.
#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/registry.h"
#include "models/training/trainer.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

/// Operators that only look at a tensor in another way, or make room.
bool is_free(std::string_view name) {
  static const std::set<std::string_view> kFree = {
      "aten::view",       "aten::_unsafe_view", "aten::transpose",    "aten::t",
      "aten::narrow",     "aten::slice",        "aten::select",       "aten::unsqueeze",
      "aten::squeeze",    "aten::expand",       "aten::as_strided",   "aten::permute",
      "aten::empty",      "aten::empty_like",   "aten::empty_strided", "aten::detach",
      "aten::split",      "aten::chunk",        "aten::unflatten",    "aten::flatten",
      "aten::reshape",    "aten::_reshape_alias", "aten::alias",      "aten::new_empty",
      "aten::split_with_sizes", "aten::unbind", "aten::lift_fresh",   "aten::resize_",
      "aten::is_nonzero", "aten::result_type",  "aten::contiguous",   "aten::expand_as",
      "aten::to",         "aten::resolve_conj", "aten::resolve_neg",  "aten::is_same_size",
      "aten::view_as",    "aten::movedim",      "aten::linear",       "aten::matmul"};
  return kFree.contains(name);
}

/// Counts operators that call no other, while it lives.
class OperatorCount {
 public:
  OperatorCount() {
    counts().clear();
    stack().clear();
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback(&enter, &leave).scopes({at::RecordScope::FUNCTION}));
  }
  ~OperatorCount() { at::removeCallback(handle_); }
  OperatorCount(const OperatorCount&) = delete;
  OperatorCount& operator=(const OperatorCount&) = delete;

  static std::int64_t total() {
    std::int64_t sum = 0;
    for (const auto& [name, count] : counts()) sum += count;
    return sum;
  }
  static std::string text() {
    std::string all;
    for (const auto& [name, count] : counts()) all += name + " " + std::to_string(count) + "\n";
    return all;
  }

 private:
  static std::map<std::string, std::int64_t>& counts() {
    thread_local std::map<std::string, std::int64_t> all;
    return all;
  }
  static std::vector<bool>& stack() {
    thread_local std::vector<bool> calls_others;
    return calls_others;
  }
  static std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction&) {
    if (!stack().empty()) stack().back() = true;
    stack().push_back(false);
    return nullptr;
  }
  static void leave(const at::RecordFunction& operation, at::ObserverContext*) {
    if (stack().empty()) return;
    const bool calls_others = stack().back();
    stack().pop_back();
    if (!calls_others && !is_free(operation.name())) ++counts()[operation.name()];
  }

  at::CallbackHandle handle_;
};

/// Draws nothing: tensors that have only shapes, in bf16.
class ShapesOnly : public TensorSource {
 public:
  at::Tensor tensor(const std::string&, at::IntArrayRef shape) override {
    return at::empty(shape, at::TensorOptions().device(at::kMeta).dtype(at::kBFloat16));
  }
  bool has(const std::string&) const override { return false; }
  void ignore(const std::string&) override {}
};

struct Bounds {
  const char* folder;
  double chunk, token, together;  // operators a layer: of a chunk, of a token, of 8 sequences' tokens
};

std::ostream& operator<<(std::ostream& out, const Bounds& bounds) { return out << bounds.folder; }

class Operators : public testing::TestWithParam<Bounds> {};

TEST_P(Operators, ArFewALayer) {
  const at::NoGradGuard no_grad;
  const Bounds& bounds = GetParam();
  ShapesOnly source;
  const auto model = make_model(
      Checkpoint(test_data() / "models" / bounds.folder).config(), bounds.folder, source);
  const auto layers = static_cast<double>(model->num_layers());
  const auto on_device = [](std::int64_t sequences, std::int64_t tokens) {
    return at::empty({sequences, tokens}, at::TensorOptions().device(at::kMeta).dtype(at::kLong));
  };
  State state(model->num_layers());
  state.reserve(2000);
  model->forward(on_device(1, 64), state, Logits::kNone);
  const auto count = [&](const auto& work) {
    const OperatorCount counter;
    work();
    return static_cast<double>(OperatorCount::total()) / layers;
  };

  const double chunk = count([&] { model->forward(on_device(1, 1024), state, Logits::kNone); });
  EXPECT_LE(chunk, bounds.chunk) << "a chunk\n" << OperatorCount::text();
  const double token = count([&] { model->forward(on_device(1, 1), state, Logits::kLast); });
  EXPECT_LE(token, bounds.token) << "a token\n" << OperatorCount::text();

  std::vector<State> states;
  for (int i = 0; i < 8; ++i)
    states.push_back(State::fork(state, model->num_layers(), state, 2000));
  std::vector<State*> all;
  for (State& own : states) all.push_back(&own);
  model->forward_rows(on_device(8, 1), all, 1);  // after which their states lie side by side
  const double together = count([&] { model->forward_rows(on_device(8, 1), all, 1); });
  EXPECT_LE(together, bounds.together) << "8 tokens\n" << OperatorCount::text();
  std::printf("%s: %.1f a chunk of 1024, %.1f a token, %.1f for 8 tokens\n", bounds.folder, chunk,
              token, together);
}

INSTANTIATE_TEST_SUITE_P(Families, Operators,
                         testing::Values(Bounds{"qwen3-tiny", 1, 1, 1},
                                         Bounds{"hypenet-tiny-sharded", 1, 1, 1},
                                         Bounds{"jet-tiny-bf16", 1, 1, 1},
                                         Bounds{"qwen35-tiny", 1, 1, 1},
                                         Bounds{"olmohybrid-tiny", 1, 1, 1},
                                         Bounds{"falconh1-tiny", 1, 1, 1},
                                         Bounds{"bamba-tiny", 1, 1, 1},
                                         Bounds{"olmo3-tiny", 1, 1, 1}),
                         [](const auto& info) {
                           std::string name = info.param.folder;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace niah::models
