// Fuzz target: arbitrary bytes as adapter_config.json and as adapter weights, on a base of two
// tensors. The first NUL byte separates the two; without one the weights are those of a valid
// adapter.
#include <span>
#include <vector>

#include "harness/base/files.h"
#include "models/checkpoint/adapter.h"
#include "tests/fuzz/support.h"
#include "tests/temporary_folder.h"

namespace {

using niah::models::DType;

/// A file of factors for the base's `model.layers.0.q_proj.weight`, r = 2, made in `folder`.
std::string valid_weights(const std::filesystem::path& folder) {
  const std::vector<float> numbers(8, 1);
  const auto file = folder / "valid.safetensors";
  const auto bytes = std::as_bytes(std::span(numbers));
  niah::models::write_safetensors(
      file,
      {{"base_model.model.model.layers.0.q_proj.lora_A.weight", DType::kF32, {2, 4}, bytes},
       {"base_model.model.model.layers.0.q_proj.lora_B.weight", DType::kF32, {4, 2}, bytes}},
      {});
  return niah::read_file(file, "reading valid weights");
}

}  // namespace

NIAH_FUZZ_TARGET(adapter) {
  static const niah::TemporaryFolder folder;
  static const std::string valid = valid_weights(folder.path());
  const std::string_view bytes = niah::fuzz::as_text(data, size);
  const std::size_t cut = bytes.find('\0');
  niah::fuzz::write_anew(folder.path() / "adapter_config.json", bytes.substr(0, cut));
  niah::fuzz::write_anew(folder.path() / "adapter_model.safetensors",
                         cut == std::string_view::npos ? valid : bytes.substr(cut + 1));
  const niah::models::TensorInfo weight{"model.layers.0.q_proj.weight", DType::kF32, {4, 4}, 0, 64};
  const niah::models::TensorInfo norm{"model.norm.weight", DType::kBF16, {4}, 64, 72};
  const niah::models::TensorTable base = {{weight.name, &weight}, {norm.name, &norm}};
  niah::fuzz::expect_result_or_error([&] {
    const niah::models::Adapter adapter(folder.path(), base, "fuzz");
    niah::fuzz::require(!adapter.changes().empty() || adapter.new_head() != nullptr);
    for (const auto& [name, change] : adapter.changes()) {
      niah::fuzz::require(base.contains(name));
      for (const auto* tensor : change.tensors()) (void)adapter.file().bytes(*tensor);
    }
    (void)adapter.sha256();
  });
  return 0;
}
