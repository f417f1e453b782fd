// What the three protocols share, and the maker of cells that each has.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "tasks/protocol.h"

namespace niah::tasks {

using Cells = std::vector<std::unique_ptr<Cell>>;

/// make_cells() of each protocol; see protocol.h.
Cells make_niah_cells(const ProtocolSpec& spec, const std::vector<CellRequest>& requests);
Cells make_lm_eval_cells(const ProtocolSpec& spec, const std::vector<CellRequest>& requests);
Cells make_ruler_cells(const ProtocolSpec& spec, const std::vector<CellRequest>& requests);

/// Where the context is in a sample's input, in bytes.
struct ContextFrame {
  std::size_t head = 0;  ///< bytes before it
  std::size_t tail = 0;  ///< bytes after it
};

/// Fills in what follows from the text: needle span, real depth, prompt_sha256. `needle` is the
/// sentence asked for, empty when there is none.
void complete_sample(Sample& sample, std::string_view needle, ContextFrame frame);

/// Throws logic_error when `index` is not one of the request's samples.
void check_index(const CellRequest& request, std::int64_t index);

/// The haystack, or UsageError when the task needs one and there is none.
const Haystack& require_haystack(const ProtocolSpec& spec, std::string_view task);

}  // namespace niah::tasks
