#include "models/registry.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "harness/base/files.h"
#include "tests/paths.h"

namespace niah::models {
namespace {

/// The cells of a row "| a | b | c |".
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream row(line.substr(1));
  for (std::string cell; std::getline(row, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(' ');
    if (first == cell.npos) continue;
    cells.push_back(cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
  }
  return cells;
}

/// What README's table says that each model_type was tested against.
std::map<std::string, std::string> read_table() {
  std::istringstream readme(read_file(NIAH_SOURCE_DIR "/README.md", "test"));
  std::map<std::string, std::string> table;
  std::string line, above;
  while (std::getline(readme, line) && !line.starts_with("| `model_type` |")) continue;
  std::getline(readme, line);  // the rule below the heading
  while (std::getline(readme, line) && line.starts_with("|")) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != 3) {
      ADD_FAILURE() << line;
      continue;
    }
    if (cells[2] != "the same") above = cells[2];
    std::istringstream names(cells[0]);
    for (std::string name; std::getline(names, name, '`') && std::getline(names, name, '`');)
      table[name] = above;
  }
  return table;
}

TEST(Registry, ReadmeSaysOfEveryArchitectureWhatInfoSays) {
  std::map<std::string, std::string> table = read_table();
  for (const std::string& name : known_architectures()) {
    EXPECT_EQ(table[name], tested_against(name)) << name;
    EXPECT_FALSE(tested_against(name).empty()) << name;
    table.erase(name);
  }
  for (const auto& [name, said] : table) ADD_FAILURE() << name << " is in README.md alone";
}

TEST(Registry, OtherSpellingsWereTestedAgainstTheSame) {
  EXPECT_EQ(tested_against("qwen3_5_text"), tested_against("qwen3_5"));
  EXPECT_EQ(tested_against("unheard_of"), "");
}

}  // namespace
}  // namespace niah::models
