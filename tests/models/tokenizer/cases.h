// Recorded cases: texts with the reference library's ids (tests/oracle/record_tokenizer.py).
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

/// The cases in a cases.jsonl; lines without "text", such as a heading, are skipped.
std::vector<Case> read_cases(const std::filesystem::path& file);

/// Folder `name` of tests/data/tokenizer.
std::filesystem::path data_folder(const std::string& name);

/// Expects the recorded ids, count and decoded text for every case.
void expect_cases(const Tokenizer& tokenizer, const std::vector<Case>& cases);

/// Expects that threads sharing a tokenizer get the same ids as from `alone`.
void expect_threads_agree(const Tokenizer& shared, const Tokenizer& alone,
                          const std::vector<std::string>& texts);

/// Strings of random sequences of `parts`; the same seed gives the same strings.
std::vector<std::string> random_texts(const std::vector<std::string>& parts, std::size_t count,
                                      unsigned seed);

}  // namespace niah::models
