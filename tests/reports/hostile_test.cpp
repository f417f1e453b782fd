// Every output file stays well-formed, whatever a model generates and whatever things are called.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/base/files.h"
#include "harness/base/text.h"
#include "reports/export/results_json.h"
#include "reports/gate/gate.h"
#include "reports/gate/junit.h"
#include "reports/report.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> texts = {
      "<script>alert(1)</script>",
      "\"'`,;|\\{}$&%#_^~[](*)",
      std::string("nul \0 bell \a escape \x1b[2J delete \x7f", 33),
      "\u202Eright to left\u2066 \u200F \u2028 line separator",
      "C1 \u009B2J",
      "two\nlines\r\nand a\ttab",
      "\xC3(\xFF\xFE\xED\xA0\x80 not UTF-8",
      std::string(1U << 20U, 'x'),
      "]]></failure><![CDATA[",
      "\\end{tabular} \\input{/etc/passwd}",
      "=HYPERLINK(\"x\")",
      "</svg><image href=\"x\"/>",
      "",
      "no characters of XML: \xEF\xBF\xBE \xEF\xBF\xBF"};
  return texts;
}

/// Records that contain all hostile texts, as read back from a journal.
std::vector<Record> hostile_records(const RunInfo& info) {
  std::vector<Record> records;
  for (const VariantInfo& variant : info.variants)
    for (const std::string& task : info.tasks) {
      for (std::size_t i = 0; i < hostile_texts().size(); ++i) {
        Record record =
            missed(synthetic_record(variant.fingerprint, task, 4096, static_cast<std::int64_t>(i)));
        record.text = hostile_texts()[i];
        record.expected = {"7654321"};
        records.push_back(json::parse(json(record).dump()).get<Record>());
      }
      // A server's error message.
      const auto last = static_cast<std::int64_t>(hostile_texts().size());
      Record refused =
          unmeasured(synthetic_record(variant.fingerprint, task, 4096, last), "refused");
      for (const std::string& text : hostile_texts()) refused.detail += text.substr(0, 20);
      records.push_back(json::parse(json(refused).dump()).get<Record>());
    }
  return records;
}

RunInfo hostile_info() {
  RunInfo info = synthetic_info();
  info.lengths = {4096};
  info.variants.resize(3);
  const auto& text = hostile_texts();
  info.tasks = {text[0], text[1]};
  info.name = info.title = text[0] + text[8];
  info.variants[0].model = info.variants[1].model = info.variants[2].model = text[1] + text[3];
  info.variants[1].name = text[4] + text[5] + text.back();
  info.variants[1].description = text[9] + ": " + text[11];
  info.variants[2].name = text[2] + text[6];
  info.variants[2].server = text[0] + text[2] + text[6] + text[10];
  info.variants[2].same_as = info.variants[1].name;
  info.haystack = info.tokenizer = info.machine = text[2] + text[0];
  info.caveats = {text[0], text[3]};
  info.published[0].model = info.variants[0].model;
  info.published[0].source = text[9];
  return info;
}

/// Parses RFC 4180, so that a wrong quote shows up as a row of another width.
std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows = {{""}};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const bool doubled = quoted && i + 1 < text.size() && text[i + 1] == '"';
      if (doubled) rows.back().back() += text[++i];
      quoted = doubled == quoted;
    } else if (c == ',' && !quoted) {
      rows.back().emplace_back();
    } else if (c == '\r' && !quoted) {
      rows.push_back({""});
      ++i;
    } else {
      rows.back().back() += c;
    }
  }
  rows.pop_back();
  return rows;
}

/// The number of cell separators: bars that are not escaped.
std::int64_t count_bars(const std::string& line) {
  std::int64_t bars = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\')
      ++i;
    else
      bars += line[i] == '|' ? 1 : 0;
  }
  return bars;
}

/// Unescaped braces: opening minus closing ones.
std::int64_t open_braces(const std::string& text) {
  std::int64_t open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else
      open += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
  }
  return open;
}

class Hostile : public testing::Test {
 protected:
  void SetUp() override {
    const RunInfo info = hostile_info();
    report_ = write_report(info, hostile_records(info), folder_.path());
  }
  void for_each(const std::string& extension,
                const std::function<void(const std::string& name, const std::string& text)>& look) {
    int seen = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (!entry.is_regular_file() || entry.path().extension() != extension) continue;
      look(entry.path().filename().string(), read_file(entry.path(), "test"));
      ++seen;
    }
    EXPECT_GT(seen, 0) << extension;
  }
  TemporaryFolder folder_;
  Report report_;
};

TEST_F(Hostile, EveryTextFileIsUtf8WithoutControlCharacters) {
  for (const char* extension : {".html", ".svg", ".csv", ".md", ".tex", ".json", ".jsonl"})
    for_each(extension, [](const std::string& name, const std::string& text) {
      EXPECT_EQ(text, valid_utf8(text)) << name;
      EXPECT_TRUE(std::none_of(text.begin(), text.end(), [](char c) {
        return c >= 0 && c < 0x20 && c != '\n' && c != '\r' && c != '\t';
      })) << name;
    });
}

/// Whether a character occurs that XML 1.0 forbids, even escaped.
bool has_no_xml_character(const std::string& text) {
  for (const char* character : {"\xEF\xBF\xBE", "\xEF\xBF\xBF"})
    if (text.find(character) != std::string::npos) return true;
  return std::any_of(
             text.begin(), text.end(),
             [](char c) { return c >= 0 && c < 0x20 && c != '\n' && c != '\r' && c != '\t'; }) ||
         text != valid_utf8(text);
}

TEST_F(Hostile, XmlHoldsOnlyCharactersOfXml) {
  for_each(".svg", [](const std::string& name, const std::string& text) {
    EXPECT_FALSE(has_no_xml_character(text)) << name;
  });
  const Verdict verdict = gate(report_.results, report_.results);
  std::string suite;
  for (const std::string& text : hostile_texts()) suite += text.substr(0, 100);
  EXPECT_FALSE(has_no_xml_character(junit_xml(verdict, suite)));
}

TEST(EscapeHtml, LeavesNoCharacterThatXmlForbids) {
  EXPECT_EQ(escape_html("a\xEF\xBF\xBE"
                        "b\xEF\xBF\xBF"),
            "a\uFFFD"
            "b\uFFFD");
  EXPECT_EQ(escape_html("\xEF\xBF\xBD \xEF\xBF\xBC"), "\xEF\xBF\xBD \xEF\xBF\xBC");
  EXPECT_EQ(escape_html("\xF0\x9F\xBF\xBE"), "\xF0\x9F\xBF\xBE") << "U+1FFFE is one of XML's";
  EXPECT_EQ(escape_html("\x01\x0B\x1F"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(escape_html("\xED\xA0\x80").find('\xED'), std::string::npos) << "a surrogate";
}

TEST_F(Hostile, PagesAndDrawingsHaveNoForeignElements) {
  for (const char* extension : {".html", ".svg"})
    for_each(extension, [](const std::string& name, const std::string& text) {
      for (const char* element : {"<script", "<image", "<iframe", "<![CDATA", "</svg><"})
        EXPECT_EQ(text.find(element), std::string::npos) << name << " holds " << element;
      EXPECT_LT(text.size(), 1U << 20U) << name << ": a megabyte of one character is shown";
    });
}

TEST_F(Hostile, TablesKeepTheirShape) {
  for_each(".csv", [](const std::string& name, const std::string& text) {
    const auto rows = parse_csv(text);
    for (const auto& row : rows) EXPECT_EQ(row.size(), rows[0].size()) << name;
  });
  for_each(".md", [](const std::string& name, const std::string& text) {
    std::istringstream lines(text);
    std::int64_t bars = 0;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with('|')) continue;
      if (bars == 0) bars = count_bars(line);
      EXPECT_EQ(count_bars(line), bars) << name << ": " << line;
      EXPECT_EQ(line.find('<'), std::string::npos) << name;
    }
    EXPECT_GT(bars, 0) << name;
  });
  for_each(".tex", [](const std::string& name, const std::string& text) {
    EXPECT_EQ(open_braces(text), 0) << name;
    EXPECT_EQ(text.find("\\input"), std::string::npos) << name;
    EXPECT_EQ(text.find("\\end{tabular}"), text.rfind("\\end{tabular}")) << name;
  });
}

TEST_F(Hostile, JsonParsesAndGivesTheOutputBack) {
  for_each(".json", [](const std::string& name, const std::string& text) {
    EXPECT_TRUE(json::accept(text)) << name;
  });
  for_each(".jsonl", [](const std::string& name, const std::string& text) {
    std::istringstream lines(text);
    std::size_t i = 0;
    for (std::string line; std::getline(lines, line); ++i) {
      const json sample = json::parse(line, nullptr, false);
      ASSERT_FALSE(sample.is_discarded()) << name;
      EXPECT_EQ(sample["resps"][0][0], valid_utf8(hostile_texts()[i])) << name;
    }
    EXPECT_EQ(i, hostile_texts().size()) << name;
  });
  EXPECT_EQ(read_results(folder_.path()).cells, report_.results.cells);
}

TEST_F(Hostile, TheGateSaysItOnOneLineACell) {
  Verdict verdict = gate(report_.results, report_.results);
  const auto lines_of = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  const std::string lines = gate_lines(verdict);
  EXPECT_EQ(lines_of(lines), 2) << "none of so many cells can be judged, which is one line";
  verdict.cells.resize(3);
  EXPECT_EQ(lines_of(gate_lines(verdict)), 4);
  EXPECT_EQ(lines.find('\x1b'), std::string::npos);
  EXPECT_EQ(lines.find("\u202E"), std::string::npos);
  EXPECT_EQ(junit_xml(verdict, "nightly").find("<script"), std::string::npos);
  EXPECT_EQ(junit_xml(verdict, "nightly").find('\x1b'), std::string::npos);
  EXPECT_EQ(gate_markdown(verdict).find("<script"), std::string::npos);
}

}  // namespace
}  // namespace niah::reports
