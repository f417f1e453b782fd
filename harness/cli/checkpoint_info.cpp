#include "harness/cli/checkpoint_info.h"

#include <cstdint>
#include <map>
#include <string>

#include "harness/base/error.h"
#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "models/checkpoint/adapter_beside.h"
#include "models/tokenizer/tokenizer.h"

namespace niah {

namespace {

/// Bytes of all tensors in the checkpoint's files.
double stored_bytes(const models::Checkpoint& checkpoint) {
  double bytes = 0;
  for (const std::string& name : checkpoint.tensor_names())
    bytes += static_cast<double>(checkpoint.bytes(*checkpoint.find(name)).size());
  return bytes;
}

}  // namespace

void print_storage(const models::Checkpoint& checkpoint) {
  std::map<std::string, std::int64_t> dtypes;
  for (const std::string& name : checkpoint.tensor_names())
    ++dtypes[std::string(models::dtype_name(checkpoint.find(name)->dtype))];
  print_out("  stored as      ");
  for (const auto& [dtype, count] : dtypes) print_out("{} tensors in {}, ", count, dtype);
  print_out("{} in {} file{}\n", format_bytes(stored_bytes(checkpoint)),
            checkpoint.weight_files().size(), checkpoint.weight_files().size() == 1 ? "" : "s");
  const models::Adapter* adapter = checkpoint.adapter();
  if (adapter == nullptr) return;
  std::int64_t parameters = 0;
  for (const models::TensorInfo& tensor : adapter->file().tensors()) parameters += tensor.numel();
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
  constexpr double kHashedUnasked = 1 << 30;  // a second or two
  const double bytes = stored_bytes(checkpoint);
  if (!is_asked && bytes > kHashedUnasked) {
    print_out("  weights sha256 not computed: {} would be read; --hash computes it\n",
              format_bytes(bytes));
    return;
  }
  flush_stdout();  // hashing a large checkpoint takes a while
  print_out("  weights sha256 {}\n", checkpoint.weights_sha256());
}

void add_hash_option(CLI::App& command, bool& hash) {
  command.add_flag(
      "--hash", hash,
      "Hash the weights however many they are (without it up to 1 GiB): reads them all");
}

}  // namespace niah
