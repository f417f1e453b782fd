// Connects tokenizer and tasks: how samples are sized, and whether they reach their nominal length.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/tokenizer/tokenizer.h"
#include "tasks/protocol.h"

namespace niah {

/// A protocol's needs, with samples sized by `tokenizer` (special tokens it adds included).
tasks::ProtocolSpec protocol_spec(const std::string& protocol, std::uint64_t seed,
                                  std::shared_ptr<const tasks::Haystack> haystack,
                                  std::shared_ptr<const models::Tokenizer> tokenizer);

/// "S2@128K", as progress and warnings call a cell; reports write it out (cell_label).
std::string cell_name(const std::string& task, std::int64_t length);

/// The warning for a cell whose shortest sample (`real_length` tokens, answer room included) is
/// below 90 % of its nominal length; empty when it is not.
std::string short_cell_warning(const tasks::CellRequest& cell, const std::string& protocol,
                               std::int64_t real_length);

}  // namespace niah
