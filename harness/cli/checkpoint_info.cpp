#include "harness/cli/checkpoint_info.h"

#include <cstdint>
#include <map>
#include <string>

#include "harness/base/error.h"
#include "harness/base/output.h"
#include "harness/base/units.h"
#include "models/tokenizer/tokenizer.h"

namespace niah {

void print_storage(const models::Checkpoint& checkpoint) {
  std::map<std::string, std::int64_t> dtypes;
  double bytes = 0;
  for (const std::string& name : checkpoint.tensor_names()) {
    ++dtypes[std::string(models::dtype_name(checkpoint.find(name)->dtype))];
    bytes += static_cast<double>(checkpoint.bytes(*checkpoint.find(name)).size());
  }
  print_out("  stored as      ");
  for (const auto& [dtype, count] : dtypes) print_out("{} tensors in {}, ", count, dtype);
  print_out("{} in {} file{}\n", format_bytes(bytes), checkpoint.weight_files().size(),
            checkpoint.weight_files().size() == 1 ? "" : "s");
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
    print_out("  tokenizer      none ({})\n", error.what());
  }
}

void print_weights_hash(const models::Checkpoint& checkpoint) {
  flush_stdout();  // hashing a large checkpoint takes a while
  print_out("  weights sha256 {}\n", checkpoint.weights_sha256());
}

}  // namespace niah
