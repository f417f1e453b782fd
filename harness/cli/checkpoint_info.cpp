#include "harness/cli/checkpoint_info.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/base/error.h"
#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "models/checkpoint/adapter_beside.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/analysis/variant_labels.h"

namespace niah {

namespace {

/// Bytes of all tensors in the checkpoint's files.
double stored_bytes(const models::Checkpoint& checkpoint) {
  double bytes = 0;
  for (const std::string& name : checkpoint.tensor_names())
    bytes += static_cast<double>(checkpoint.bytes(*checkpoint.find(name)).size());
  return bytes;
}

std::map<std::string, std::int64_t> tensors_by_type(const models::Checkpoint& checkpoint) {
  std::map<std::string, std::int64_t> counts;
  for (const std::string& name : checkpoint.tensor_names())
    ++counts[std::string(models::dtype_name(checkpoint.find(name)->dtype))];
  return counts;
}

std::int64_t numbers_of(const models::Adapter& adapter) {
  std::int64_t numbers = 0;
  for (const models::TensorInfo& tensor : adapter.file().tensors()) numbers += tensor.numel();
  return numbers;
}

/// Whether the weights are hashed: if that is asked for, or takes no more than a second or two.
bool hashes_weights(const models::Checkpoint& checkpoint, bool is_asked) {
  constexpr double kHashedUnasked = 1 << 30;
  return is_asked || stored_bytes(checkpoint) <= kHashedUnasked;
}

/// The tokenizer's description; null where none can be opened.
nlohmann::json tokenizer_json(const models::Checkpoint& checkpoint) {
  try {
    return models::open_tokenizer(checkpoint.folder())->description();
  } catch (const DataError&) {
    return nullptr;
  }
}

}  // namespace

void print_storage(const models::Checkpoint& checkpoint) {
  print_out("  stored as      ");
  for (const auto& [dtype, count] : tensors_by_type(checkpoint))
    print_out("{} tensors in {}, ", count, dtype);
  print_out("{} in {} file{}\n", format_bytes(stored_bytes(checkpoint)),
            checkpoint.weight_files().size(), checkpoint.weight_files().size() == 1 ? "" : "s");
  const models::Adapter* adapter = checkpoint.adapter();
  if (adapter == nullptr) return;
  const std::int64_t parameters = numbers_of(*adapter);
  print_out("  adapter        changes {} tensors by {} numbers{}\n", adapter->changes().size(),
            format_count(parameters),
            adapter->new_head() != nullptr ? ", and brings an output head of its own" : "");
}

void print_tokenizer(const models::Checkpoint& checkpoint) {
  try {
    print_out("  tokenizer      {}\n", models::open_tokenizer(checkpoint.folder())->description());
  } catch (const DataError& error) {
    print_out("  tokenizer      none ({})\n", single_line(error.what()));
  }
}

void print_left_out(const models::Checkpoint& checkpoint) {
  const std::string warning = models::adapter_beside(checkpoint.path());
  if (!warning.empty()) print_out("  warning        {}\n", single_line(warning));
}

void print_weights_hash(const models::Checkpoint& checkpoint, bool is_asked) {
  if (!hashes_weights(checkpoint, is_asked)) {
    print_out("  weights sha256 not computed: {} would be read; --hash computes it\n",
              format_bytes(stored_bytes(checkpoint)));
    return;
  }
  flush_stdout();  // hashing a large checkpoint takes a while
  const std::string hash = checkpoint.weights_sha256();
  print_out("  weights        {}, as plans, pages and alarms name them\n",
            reports::shown_hash(hash));
  print_out("  weights sha256 {}\n", hash);
}

nlohmann::json checkpoint_json(const models::Checkpoint& checkpoint, bool hash_is_asked) {
  nlohmann::json json = {{"path", valid_utf8(checkpoint.path().text())},
                         {"model_type", valid_utf8(checkpoint.model_type())},
                         {"tensors", tensors_by_type(checkpoint)},
                         {"bytes", static_cast<std::int64_t>(stored_bytes(checkpoint))},
                         {"files", checkpoint.weight_files().size()},
                         {"tokenizer", tokenizer_json(checkpoint)},
                         {"warnings", nlohmann::json::array()},
                         {"weights_sha256", nullptr}};
  if (const models::Adapter* adapter = checkpoint.adapter())
    json["adapter"] = {{"tensors", adapter->changes().size()}, {"numbers", numbers_of(*adapter)}};
  if (const std::string warning = models::adapter_beside(checkpoint.path()); !warning.empty())
    json["warnings"].push_back(valid_utf8(warning));
  if (hashes_weights(checkpoint, hash_is_asked))
    json["weights_sha256"] = checkpoint.weights_sha256();
  return json;
}

void add_info_options(CLI::App& command, InfoOptions& options) {
  command.add_flag(
      "--hash", options.hash,
      "Hash the weights however many they are (without it up to 1 GiB): reads them all");
  command.add_flag("--json", options.json, "Print it as one JSON object");
}

}  // namespace niah
