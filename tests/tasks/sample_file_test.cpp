#include "tasks/sample_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/paths.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class SampleFiles : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    return temporary_.write(name, text);
  }
  static std::string refusal(const std::vector<SampleFile>& files) {
    return refusal_of([&] { read_sample_files(files, 0); });
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path();
};

/// Generated samples, counting each word as a token.
std::vector<std::unique_ptr<Cell>> generated(const std::string& protocol) {
  ProtocolSpec spec;
  spec.protocol = protocol;
  spec.haystack = open_haystack({HaystackKind::kText, NIAH_TEST_DATA "/protocol/corpus.txt", true});
  spec.count = [](std::string_view text) {
    return static_cast<std::int64_t>(std::count(text.begin(), text.end(), ' ')) + 1;
  };
  return make_cells(spec, {{"s2", 1024, 3}, {"s3", 2048, 2}});
}

json lm_eval_doc(const Sample& sample) {
  return {{"index", sample.index},           {"input", sample.input},
          {"outputs", sample.outputs},       {"length", sample.length},
          {"max_length", sample.max_length}, {"gen_prefix", sample.gen_prefix}};
}

TEST_F(SampleFiles, ReadBackWhatGenerateWrote) {
  std::string text;
  std::vector<json> all;
  for (const auto& cell : generated("niah"))
    for (std::int64_t i = 0; i < cell->request().samples; ++i) {
      all.push_back(cell->sample(i));
      text += all.back().dump() + "\n";
    }
  const auto cells = read_sample_files({{write("a.jsonl", text), "", {}}}, 0);
  ASSERT_EQ(cells.size(), 2U);
  EXPECT_EQ(cells[0]->request().task, "s2");
  EXPECT_EQ(cells[0]->request().length, 1024);
  EXPECT_EQ(cells[0]->request().samples, 3);
  EXPECT_EQ(json(cells[0]->sample(2)), all[2]);
  EXPECT_EQ(json(cells[1]->sample(1)), all[4]);
  EXPECT_EQ(cells[0]->alike_until(2), all[2]["real_depth"].get<double>() / 100);
  EXPECT_EQ(read_sample_files({{folder_ / "a.jsonl", "", {}}}, 2)[0]->request().samples, 2);
}

TEST_F(SampleFiles, KeepTheirIndexesWhereAFileHoldsAPart) {
  const auto cells = generated("niah");
  const auto path = write("part.jsonl", json(cells[0]->sample(2)).dump());
  const auto part = read_sample_files({{path, "", {}}}, 0);
  ASSERT_EQ(part.size(), 1U);
  EXPECT_EQ(part[0]->request().samples, 1);
  EXPECT_EQ(part[0]->index(0), 2);
  EXPECT_EQ(part[0]->sample(0).index, 2);
}

TEST_F(SampleFiles, ReadLoggedSamplesOfLmEval) {
  const Sample sample = generated("lm-eval")[0]->sample(1);
  const json line = {{"doc_id", 1},
                     {"doc", lm_eval_doc(sample)},
                     {"target", sample.outputs},
                     {"resps", {{"7654321"}}},
                     {"filter", "none"}};
  const auto path = write("samples_niah_single_2_2026-01-01T00-00-00.jsonl", line.dump() + "\n");
  const Sample back = read_sample_files({{path, "", {}}}, 0)[0]->sample(0);
  EXPECT_EQ(back.protocol, "lm-eval");
  EXPECT_EQ(back.task, "s2");
  EXPECT_EQ(back.prompt(), sample.prompt());
  EXPECT_EQ(back.prompt_sha256, sample.prompt_sha256);
  EXPECT_EQ(back.key, sample.key);
  EXPECT_EQ(back.needle, sample.needle);
  EXPECT_EQ(back.real_depth, sample.real_depth);
  EXPECT_EQ(back.depth, sample.real_depth);

  const auto plain = write("docs.jsonl", lm_eval_doc(sample).dump());
  EXPECT_THAT(refusal({{plain, "", {}}}), HasSubstr("give `task: s2`"));
  EXPECT_EQ(read_sample_files({{plain, "s2", {}}}, 0)[0]->sample(0).prompt_sha256,
            sample.prompt_sha256);
}

TEST_F(SampleFiles, SayThatOurOwnLogsHoldNoPrompts) {
  const json line = {
      {"doc", {{"index", 0}, {"max_length", 1024}, {"depth", 5}, {"outputs", {"1"}}}}};
  const auto path = write("samples_niah_single_2_2026-01-01T00-00-00.jsonl", line.dump() + "\n");
  EXPECT_THAT(refusal({{path, "", {}}}), HasSubstr("a log of niah's own, without its prompts"));
}

TEST_F(SampleFiles, ReadOurOwnLogsWithPromptsAndMakeTheOthersAgain) {
  const Sample sample = generated("niah")[0]->sample(0);
  json line = {{"doc", lm_eval_doc(sample)}, {"prompt_hash", sample.prompt_sha256}};
  line["doc"]["depth"] = sample.depth;
  line["doc"]["protocol"] = "niah";
  const std::string name = "samples_niah_single_2_2026-01-01T00-00-00.jsonl";
  const auto with_prompts = write("with/" + name, line.dump());
  const Sample back = read_sample_files({{with_prompts, "", {}}}, 0)[0]->sample(0);
  EXPECT_EQ(back.protocol, "niah");
  EXPECT_EQ(back.prompt_sha256, sample.prompt_sha256);
  EXPECT_EQ(back.depth, sample.depth);
  EXPECT_EQ(back.needle, sample.needle);

  line["doc"].erase("input");
  line["doc"].erase("gen_prefix");
  const auto bare = write("bare/" + name, line.dump());
  const LogOpener opener = [&](const std::filesystem::path& log) -> SampleMaker {
    EXPECT_EQ(log, bare);
    return [&](const std::string& task, std::int64_t length, std::int64_t index) {
      EXPECT_EQ(task, "s2");
      EXPECT_EQ(length, sample.max_length);
      EXPECT_EQ(index, sample.index);
      return LoggedSample{sample, sample.prompt_sha256};
    };
  };
  EXPECT_EQ(read_sample_files({{bare, "", {}}}, 0, opener)[0]->sample(0).prompt_sha256,
            sample.prompt_sha256);
  line["prompt_hash"] = std::string(64, '0');
  write("bare/" + name, line.dump());
  EXPECT_THAT(refusal_of([&] {
                read_sample_files({{bare, "", {}}}, 0, opener);
              }),
              HasSubstr("is not the one that was asked"));
}

TEST_F(SampleFiles, ReadPreparedDataOfRuler) {
  const Sample sample = generated("ruler")[1]->sample(0);
  json line = lm_eval_doc(sample);
  line.erase("gen_prefix");
  line.erase("max_length");
  line["index"] = 31337;
  line["answer_prefix"] = " " + sample.gen_prefix;
  const auto path = write("2048/data/niah_single_3/validation.jsonl", line.dump() + "\n");
  const auto cells = read_sample_files({{path, "", {}}}, 0);
  EXPECT_EQ(cells[0]->request().length, 2048);
  const Sample back = cells[0]->sample(0);
  EXPECT_EQ(back.task, "s3");
  EXPECT_EQ(back.index, 0);
  EXPECT_EQ(back.prompt_sha256, sample.prompt_sha256);
  EXPECT_EQ(back.needle, sample.needle);

  const auto loose = write("niah_single_3.jsonl", line.dump());
  EXPECT_THAT(refusal({{loose, "", {}}}), HasSubstr("length: 4K"));
  EXPECT_EQ(read_sample_files({{loose, "", 2048}}, 0)[0]->request().length, 2048);
}

TEST_F(SampleFiles, ReadTasksWithoutNeedlesOfBothPrograms) {
  ProtocolSpec spec;
  spec.count = [](std::string_view text) {
    return static_cast<std::int64_t>(std::count(text.begin(), text.end(), ' ')) + 1;
  };
  for (const std::string task : {"vt", "cwe", "fwe"}) {
    spec.protocol = "lm-eval";
    Sample sample = make_cells(spec, {{task, 1024, 1}})[0]->sample(0);
    const auto logged =
        write("samples_ruler_" + task + "_2026-01-01.jsonl", lm_eval_doc(sample).dump());
    Sample back = read_sample_files({{logged, "", {}}}, 0)[0]->sample(0);
    EXPECT_EQ(back.prompt_sha256, sample.prompt_sha256) << task;
    EXPECT_EQ(back.answer_tokens, sample.answer_tokens);
    EXPECT_EQ(back.needle, sample.needle);
    EXPECT_EQ(back.key, sample.key);
    EXPECT_DOUBLE_EQ(back.real_depth, sample.real_depth);

    spec.protocol = "ruler";
    sample = make_cells(spec, {{task, 1024, 1}})[0]->sample(0);
    json line = lm_eval_doc(sample);
    line.erase("gen_prefix");
    line["answer_prefix"] = " " + sample.gen_prefix;
    back = read_sample_files(
               {{write("1024/data/" + task + "/validation.jsonl", line.dump()), "", {}}}, 0)[0]
               ->sample(0);
    EXPECT_EQ(back.prompt_sha256, sample.prompt_sha256) << task;
    EXPECT_EQ(back.needle, sample.needle);
  }
}

TEST_F(SampleFiles, SayWhatIsWrongWithFileAndLine) {
  json good = generated("niah")[0]->sample(0);
  const auto with = [&](const char* field, const json& value) {
    json bad = good;
    bad[field] = value;
    return refusal({{write("x.jsonl", "\n" + bad.dump()), "", {}}});
  };
  EXPECT_THAT(with("input", "edited"), HasSubstr("prompt_sha256"));
  EXPECT_THAT(with("input", 7), HasSubstr("x.jsonl, line 2: "));
  EXPECT_THAT(with("task", "s9"), HasSubstr("s9"));
  EXPECT_THAT(with("index", -1), HasSubstr("index"));
  // Values that nlohmann::json's conversion would wrap or truncate.
  EXPECT_THAT(with("seed", -1), HasSubstr("'seed' is -1"));
  EXPECT_THAT(with("length", 9223372036854775808U), HasSubstr("'length' is 9223372036854775808"));
  EXPECT_THAT(with("needle", {1.5, 9}), HasSubstr("two whole numbers"));
  EXPECT_THAT(with("needle", {-1, 9}), HasSubstr("'needle' is [-1, 9]"));
  EXPECT_THAT(with("needle", {9, 5}), HasSubstr("'needle' is [9, 5]"));
  EXPECT_THAT(with("needle", {5, 1000000}), HasSubstr("'needle' is [5, 1000000]"));
  EXPECT_THAT(with("depth", 1e9), HasSubstr("percentage"));
  EXPECT_THAT(with("outputs", {" "}), HasSubstr("an expected answer is empty"));
  EXPECT_THAT(refusal({{write("x.jsonl", good.dump() + "\n" + good.dump()), "", {}}}),
              HasSubstr("line 2: a second sample 0"));
  EXPECT_THAT(refusal({{write("x.jsonl", good.dump().substr(0, 500)), "", {}}}),
              HasSubstr("cut off"));
  EXPECT_THAT(refusal({{write("x.jsonl", "[]"), "", {}}}), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refusal({{write("x.jsonl", "{}"), "", {}}}), HasSubstr("this is no sample"));
  EXPECT_THAT(refusal({{write("x.jsonl", "\n\n"), "", {}}}), HasSubstr("there are none"));
  EXPECT_THAT(refusal({{folder_ / "missing.jsonl", "", {}}}), HasSubstr("missing.jsonl"));

  json doc = lm_eval_doc(generated("lm-eval")[0]->sample(0));
  const std::string ours = good.dump() + "\n" + doc.dump();
  EXPECT_THAT(refusal({{write("x.jsonl", ours), "s2", {}}}), HasSubstr("of protocol lm-eval"));
  doc["outputs"] = {"0000000"};
  EXPECT_THAT(refusal({{write("x.jsonl", doc.dump()), "s2", {}}}), HasSubstr("no needle"));
  doc["outputs"] = {""};
  EXPECT_THAT(refusal({{write("x.jsonl", doc.dump()), "s2", {}}}), HasSubstr("answer is empty"));
  doc["outputs"] = json::array();
  EXPECT_THAT(refusal({{write("x.jsonl", doc.dump()), "s2", {}}}), HasSubstr("expects no answer"));
  doc["length"] = 18446744073709551615U;
  EXPECT_THAT(refusal({{write("x.jsonl", doc.dump()), "s2", {}}}), HasSubstr("out of range"));
  doc.erase("input");
  EXPECT_THAT(refusal({{write("x.jsonl", doc.dump()), "s2", {}}}), HasSubstr("'input' is missing"));
}

}  // namespace
}  // namespace niah::tasks
