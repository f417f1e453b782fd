// Recorded cases: what the reference library makes of a text (tests/oracle/record_tokenizer.py).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

struct Case {
  std::string text;
  std::vector<TokenId> ids;
  std::string decoded;
};

/// The cases of a cases.jsonl; lines without a "text" (a heading) are left out.
std::vector<Case> read_cases(const std::filesystem::path& file);

/// Folder `name` of tests/data/tokenizer.
std::filesystem::path data_folder(const std::string& name);

/// Expects ids, count and decoded text of every case.
void expect_cases(const Tokenizer& tokenizer, const std::vector<Case>& cases);

/// Expects that threads that share a tokenizer each get the ids that `alone` gives.
void expect_threads_agree(const Tokenizer& shared, const Tokenizer& alone,
                          const std::vector<std::string>& texts);

/// Strings of odd neighbours made of `parts`, the same for the same seed.
std::vector<std::string> random_texts(const std::vector<std::string>& parts, std::size_t count,
                                      unsigned seed);

}  // namespace niah::models
