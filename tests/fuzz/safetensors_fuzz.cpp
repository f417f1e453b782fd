// Fuzz target: arbitrary bytes as a safetensors file.
#include "models/checkpoint/safetensors.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(safetensors) {
  niah::fuzz::expect_result_or_error([&] {
    const auto header =
        niah::models::parse_safetensors(niah::fuzz::as_text(data, size), "fuzz/model.safetensors");
    std::uint64_t at = 0;
    for (const auto& tensor : header.tensors) {
      niah::fuzz::require(tensor.begin == at && tensor.begin <= tensor.end);
      niah::fuzz::require(static_cast<std::uint64_t>(tensor.numel()) *
                              niah::models::dtype_size(tensor.dtype) ==
                          tensor.end - tensor.begin);
      at = tensor.end;
    }
    niah::fuzz::require(header.data_begin + at == size);
  });
  return 0;
}
