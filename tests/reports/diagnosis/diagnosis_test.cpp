#include "reports/diagnosis/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/files.h"
#include "reports/diagnosis/page.h"
#include "reports/diagnosis/summary.h"
#include "reports/diagnosis/tables.h"
#include "reports/report.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

/// One softmax layer of two heads above a linear one; head 1 is a retrieval head in base, but not
/// after the fine-tune.
Diagnosis lost_head() {
  Diagnosis diagnosis;
  diagnosis.pre = "base";
  diagnosis.post = "base-cot";
  for (const auto& [layer, mixer, qk] : {std::tuple{0, "lightning", 0.05}, {1, "softmax", 0.6}})
    for (const char* part : {"Q", "K", "V", "O", "MLP"}) {
      const bool turned = part[0] == 'Q' || part[0] == 'K';
      diagnosis.tensors.push_back({std::string("model.layers.") + std::to_string(layer) + part,
                                   layer, part, mixer, 10 * (turned ? qk : 0.04), 10});
    }
  diagnosis.tensors.push_back({"model.embed_tokens.weight", {}, "embedding", "", 0.3, 30});
  diagnosis.routing = {{1, 0, 0.5, 6, 10, 20, 11, 22}, {1, 1, 1.2, 5, 35, 80, 34, 79}};
  diagnosis.variants = {"base", "sft", "qk"};
  for (const auto& [variant, mass] : {std::pair{"base", 0.9}, {"sft", 0.1}, {"qk", 0.85}}) {
    diagnosis.heads.push_back({variant, 1, 0, 100, 0.01});
    diagnosis.heads.push_back({variant, 1, 1, 2000, mass});
  }
  diagnosis.prompts = "8 samples of S2@8K";
  diagnosis.chance = 0.0036;
  diagnosis.length = 8040;
  return diagnosis;
}

TEST(Diagnosis, SaysWhatMovedAndWhatBecameOfRetrievalHeads) {
  const auto words = diagnosis_in_words(lost_head());
  EXPECT_THAT(words, Contains("The fine-tune moved the softmax layers' Q by 60.00 %, K by 60.00 %, "
                              "V by 4.00 %, O by 4.00 %; the linear layers' mixers by 4.53 %; the "
                              "MLPs by 4.00 %; the embedding by 1.00 % of their norm."));
  EXPECT_THAT(words, Contains(HasSubstr("(most in layer 1, head 1: 120.0 %)")));
  EXPECT_THAT(words,
              Contains(HasSubstr("1 of the 2 softmax heads of base is a retrieval head: the final "
                                 "position puts at least 10 % of its attention on the needle (by "
                                 "chance: 0.36 %). There the needle gets 90.0 % in base, 10.0 % in "
                                 "sft, 85.0 % in qk.")));
  EXPECT_THAT(words, Contains(HasSubstr("1050 tokens in base")));
}

TEST(Diagnosis, SaysSoWhereNoHeadLooksAtTheNeedle) {
  Diagnosis diagnosis = lost_head();
  for (HeadLook& head : diagnosis.heads) head.needle_mass = 0.01;
  EXPECT_THAT(diagnosis_in_words(diagnosis), Contains(HasSubstr("no retrieval heads to lose")));
}

TEST(Diagnosis, OfFilesAloneHasNoAttention) {
  Diagnosis diagnosis = lost_head();
  diagnosis.heads.clear();
  diagnosis.variants.clear();
  diagnosis.prompts.clear();
  const std::string page = diagnosis_page(diagnosis, {});
  EXPECT_THAT(page, Not(HasSubstr("looks at the needle")));
  for (const Table& table : diagnosis_tables(diagnosis)) EXPECT_NE(table.name, "attention");
  EXPECT_EQ(diagnosis_in_words(Diagnosis{}).size(), 0U);
}

TEST(Diagnosis, PageShowsEveryHeadAndEscapesNames) {
  Diagnosis diagnosis = lost_head();
  diagnosis.post = "<script>alert(1)</script>";
  diagnosis.tensors[0].mixer = "\"><img src=x>";
  const std::string page = diagnosis_page(diagnosis, {"diagnosis/attention.csv"});
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("layer 1, head 1: 90.0 % of the final position&#39;s attention"));
  EXPECT_THAT(page, HasSubstr("layer 1, head 0: 100.0 tokens"));
  EXPECT_THAT(page, HasSubstr("href=\"diagnosis/attention.csv\""));
}

TEST(Diagnosis, AxesHaveRoundTicksAndUnits) {
  Diagnosis diagnosis = lost_head();
  diagnosis.tensors[5].change = 6.29;
  const std::string page = diagnosis_page(diagnosis, {});
  for (const char* words : {">80\u00A0%</text>", ">20\u00A0%</text>", ">layer</text>",
                            ">down: layer, across: head</text>"})
    EXPECT_THAT(page, HasSubstr(words));
  EXPECT_THAT(page, Not(HasSubstr(">62.9</text>")));
  EXPECT_THAT(diagnosis_in_words(diagnosis),
              Contains(HasSubstr("in prompts of 8040 tokens: 1050 tokens in base, 1050 in sft")));
}

TEST(Diagnosis, OfARunIsLinkedFromItsReport) {
  const TemporaryFolder folder;
  const RunInfo info = synthetic_info();
  const auto page = [&] {
    write_report(info, synthetic_records(info, 2), folder.path());
    return read_file(folder.path() / "report.html", "test");
  };
  EXPECT_THAT(page(), Not(HasSubstr(kDiagnosisPage)));
  write_diagnosis(lost_head(), folder.path());
  EXPECT_THAT(page(), HasSubstr("href=\"diagnose.html\""));
  EXPECT_THAT(read_file(folder.path() / "diagnosis/attention.csv", "test"),
              HasSubstr("1,1,yes,90.00,2000.0,10.00,2000.0,85.00,2000.0"));
}

}  // namespace
}  // namespace niah::reports
