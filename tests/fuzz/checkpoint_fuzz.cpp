// Fuzz target: a checkpoint folder with arbitrary bytes as config.json and as shard index. The
// first NUL byte separates the two; without one both are the same.
#include <span>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/config_reader.h"
#include "tests/fuzz/support.h"
#include "tests/temporary_folder.h"

namespace {

/// Writes a shard with one tensor, `weight`.
void write_shard(const std::filesystem::path& folder) {
  const float one = 1;
  niah::models::write_safetensors(
      folder / "model-00001-of-00001.safetensors",
      {{"weight", niah::models::DType::kF32, {1}, std::as_bytes(std::span(&one, 1))}}, {});
}

/// Reads the fields that a model reads.
void read_config(const nlohmann::json& config) {
  using niah::fuzz::expect_result_or_error;
  niah::models::ConfigReader reader(config, "fuzz/config.json");
  expect_result_or_error([&] { (void)reader.positive("hidden_size", 64, 1 << 20); });
  expect_result_or_error([&] { (void)reader.integer("num_hidden_layers", 2, 1, 1 << 10); });
  expect_result_or_error([&] { (void)reader.number("rope_theta", 1e4, 1, 1e9); });
  expect_result_or_error([&] { (void)reader.boolean("tie_word_embeddings", true); });
  expect_result_or_error([&] { (void)reader.text("hidden_act", "silu"); });
  expect_result_or_error([&] { (void)reader.text_list("mixer_types"); });
  expect_result_or_error([&] { reader.must_be("attention_bias", false, "no other is known"); });
  expect_result_or_error([&] { reader.finish(); });
}

}  // namespace

NIAH_FUZZ_TARGET(checkpoint) {
  static const niah::TemporaryFolder folder;
  static const bool is_made = (write_shard(folder.path()), true);
  (void)is_made;
  const std::string_view bytes = niah::fuzz::as_text(data, size);
  const std::size_t cut = bytes.find('\0');
  niah::fuzz::write_anew(folder.path() / "config.json", bytes.substr(0, cut));
  niah::fuzz::write_anew(folder.path() / "model.safetensors.index.json",
                         cut == std::string_view::npos ? bytes : bytes.substr(cut + 1));
  niah::fuzz::expect_result_or_error([&] {
    const nlohmann::json config =
        niah::models::parse_json_file(folder.path() / "config.json", "reading the model config");
    if (!config.is_object()) return;
    read_config(config);
  });
  niah::fuzz::expect_result_or_error([&] {
    const niah::models::Checkpoint checkpoint(folder.path());
    niah::fuzz::require(checkpoint.find("weight") != nullptr);
    (void)checkpoint.model_type();
  });
  return 0;
}
