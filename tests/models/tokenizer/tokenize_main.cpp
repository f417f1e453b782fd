// `niah tokenize` as a separate program, for tests/oracle/compare_tokenizer.py and builds without
// niah.
#include <cstdio>
#include <iostream>

#include "harness/base/error.h"
#include "models/tokenizer/tokenize_lines.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tokenize_main TOKENIZER < texts.jsonl\n");
    return static_cast<int>(niah::ExitCode::kUsage);
  }
  try {
    std::ios::sync_with_stdio(false);
    niah::models::tokenize_lines(
        std::cin, [](std::string_view text) { std::cout << text; },
        *niah::models::open_tokenizer(argv[1]));
  } catch (const niah::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
