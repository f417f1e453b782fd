#include "tests/reports/synthetic_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "harness/base/sha256.h"

namespace niah::reports {
namespace {

constexpr std::int64_t kDepths = 40;

/// A pseudo-random number in [0, 1) that depends only on the text.
double chance(const std::string& text) {
  const std::string hex = sha256_hex(text).substr(0, 8);
  return static_cast<double>(std::stoul(hex, nullptr, 16)) / 4294967296.0;
}

/// Recall as the paper describes it: the fine-tune loses recall in long contexts and hard tasks;
/// restoring Q and K recovers most of it, restoring V does not.
double true_recall(const std::string& variant, const std::string& task, std::int64_t length,
                   double depth) {
  const double far = std::log2(static_cast<double>(length) / 4096.0) / 6;  // 0 at 4K, 1 at 256K
  const double hardness = task == "s1" ? 0.1 : task == "s2" ? 0.6 : 1.0;
  const double middle = 1 - std::abs(depth - 50) / 50;
  const double base = 1 - hardness * far * far * (0.15 + 0.15 * middle);
  const double loss = hardness * std::pow(far, 1.3) * (0.55 + 0.35 * middle);
  const double kept = variant == "f-base"  ? 0
                      : variant == "f-qk"  ? 0.25
                      : variant == "f-pro" ? 0.2
                                           : 1;
  return std::clamp(base - kept * loss, 0.0, 1.0);
}

std::string hostile_text(std::int64_t index) {
  switch (index % 4) {
    case 0:
      return "<script>alert('x')</script> & \"quotes\" </details></table>";
    case 1:
      return "\u202Eright to left\u202C and \x07\x1b[31mcontrol\x1b[0m characters";
    case 2:
      return "The special magic number mentioned in the provided text is 1234567, 1234567, "
             "1234567, "
             "1234567, 1234567, 1234567, 1234567, 1234567 and so it goes on and on and on.";
    default:
      return "The special magic number is 4471902.";
  }
}

Record drawn(const std::string& variant, const std::string& task, std::int64_t length,
             std::int64_t index) {
  Record record = synthetic_record(variant, task, length, index);
  // Mostly the same draw for all variants of a sample, so that a better variant usually also finds
  // what a worse one finds.
  const double draw = 0.8 * chance(fmt::format("{} {} {}", task, length, index)) +
                      0.2 * chance(fmt::format("{} {} {} {}", task, length, index, variant));
  const double recall = true_recall(variant, task, length, record.depth);
  record.value_log_prob = -0.01 - 4 * std::max(0.0, draw - recall);
  record.value_rank = draw < recall ? 1 : 2 + index % 40;
  if (draw < recall) return record;
  const bool format = index % 7 == 0;
  record = missed(record, format           ? "out_of_tokens"
                          : index % 3 == 0 ? "partial_value"
                                           : "wrong_value");
  record.text = hostile_text(index);
  return record;
}

Record reasoning(const std::string& variant, const std::string& task, std::int64_t index) {
  Record record = synthetic_record(variant, task, 0, index);
  record.kind = "reasoning";
  record.protocol.clear();
  const double recall = variant == "f-base" ? 0.15 : variant == "f-sft" ? 0.62 : 0.59;
  if (chance(fmt::format("{} {}", task, index)) < recall) return record;
  return missed(record, index % 4 == 0 ? "out_of_tokens" : "wrong_value");
}

}  // namespace

Record synthetic_record(const std::string& variant, const std::string& task, std::int64_t length,
                        std::int64_t index) {
  Record record;
  record.variant = variant;
  record.protocol = "niah";
  record.task = task;
  record.length = length;
  record.index = index;
  record.depth = static_cast<double>(index % kDepths) * 100 / (kDepths - 1);
  record.real_depth = record.depth;
  record.prompt_tokens = std::max<std::int64_t>(0, length - 128 - index % 20);
  record.real_length = record.prompt_tokens + 128;
  record.prompt_sha256 = sha256_hex(fmt::format("{} {} {}", task, length, index));
  record.score = 1;
  record.expected = {"7654321"};
  record.text = "The special magic number is 7654321.";
  record.computed_tokens = record.prompt_tokens + 12;
  record.seconds = 0.25;
  return record;
}

Record missed(Record record, const std::string& miss) {
  record.score = 0;
  record.miss = miss;
  record.text = "1234567";
  return record;
}

Record unmeasured(Record record, const std::string& outcome) {
  record.score = 0;
  record.outcome = outcome;
  record.detail = "needed 41 GiB, had 30 GiB";
  record.text.clear();
  return record;
}

RunInfo synthetic_info() {
  RunInfo info;
  info.name = "synthetic";
  info.title = "A synthetic run that shows every part of a report";
  info.program_version = "0.1.0";
  info.protocol = "niah";
  info.seed = 1;
  info.tasks = {"s1", "s2", "s3"};
  info.lengths = {4096, 8192, 16384, 32768, 65536, 131072, 262144};
  info.variants = {
      {"f-base", "hypenet", "base", "", Role::kBase},
      {"f-sft", "hypenet", "sft", "CoT-SFT: fine-tuned on chains of thought", Role::kTuned},
      {"f-qk", "hypenet", "qk", "QK-Restore: W_Q and W_K of the softmax layers from base"},
      {"f-pro", "hypenet", "qk-pro", "QK-Procrustes: base's routing in the fine-tune's basis"},
      {"f-v", "hypenet", "v", "V-Restore: W_V of the softmax layers from base"}};
  for (std::size_t i = 2; i < info.variants.size(); ++i) {
    VariantInfo& restored = info.variants[i];
    restored.role = Role::kRestored;
    restored.restored_from = "base";
    restored.fine_tune = "sft";
    restored.method = restored.name;
  }
  info.haystack = "prose (generator 1)";
  info.tokenizer = "byte-level BPE, 4096 ids (sha256 0123456789ab)";
  info.machine = "2 cores, fp32, 2 threads";
  info.caveats = {"The records of this report are synthetic: no model was run."};
  info.published = {{"HypeNet-9B", "S2@256K", 67.2, 9.4, 44.0, "arXiv 2606.11052"},
                    {"HypeNet-5B", "S3@256K", std::nullopt, 65.4, 76.4, "arXiv 2606.11052"},
                    {"HypeNet-9B", "MATH500", 15.3, 62.3, 59.3, "arXiv 2606.11052"}};
  info.started = "2026-06-11T08:00:00Z";
  info.finished = "2026-06-11T09:30:00Z";
  info.config_json = R"({"name":"synthetic","samples":40})";
  return info;
}

std::vector<Record> synthetic_records(const RunInfo& info, std::int64_t samples) {
  std::vector<Record> records;
  for (const VariantInfo& variant : info.variants) {
    for (const std::string& task : info.tasks) {
      for (const std::int64_t length : info.lengths) {
        const bool gap = variant.name == "v" && task == "s3" && length == info.lengths.back();
        const bool oom = variant.name == "v" && task == "s2" && length == info.lengths.back();
        for (std::int64_t index = 0; index < samples && !gap; ++index) {
          Record record = drawn(variant.fingerprint, task, length, index);
          records.push_back(oom && index % 8 != 0 ? unmeasured(record) : record);
        }
      }
    }
    for (const std::string task : {"gsm8k", "math500"})
      for (std::int64_t index = 0; index < 2 * samples; ++index)
        records.push_back(reasoning(variant.fingerprint, task, index));
  }
  return records;
}

Results collect(const RunInfo& info, const std::vector<Record>& records) {
  Collector collector(info);
  for (const Record& record : records) collector.add(record);
  return std::move(collector).finish();
}

Results one_cell(std::int64_t n, std::int64_t base, std::int64_t sft, std::int64_t qk) {
  RunInfo info = synthetic_info();
  info.variants.resize(3);
  std::vector<Record> records;
  const auto add = [&](const char* variant, std::int64_t hits) {
    for (std::int64_t i = 0; i < n; ++i) {
      const Record record = synthetic_record(variant, "s3", 65536, i);
      records.push_back(i < hits ? record : missed(record));
    }
  };
  add("f-base", base);
  add("f-sft", sft);
  add("f-qk", qk);
  return collect(info, records);
}

RunInfo served_info() {
  RunInfo info = nightly_info();
  info.variants.push_back({"f-vllm", "hypenet", "vllm", "vLLM: the base, served", Role::kControl});
  info.variants.back().server = "vllm 0.32.0 at http://localhost:8000/v1, model m, completions";
  info.variants.back().same_as = "base";
  return info;
}

std::vector<Record> served_records(
    const RunInfo& info, std::int64_t samples,
    const std::function<void(std::int64_t length, std::int64_t index, Record& served)>& change) {
  std::vector<Record> records;
  for (const VariantInfo& variant : info.variants)
    for (const std::int64_t length : info.lengths)
      for (std::int64_t i = 0; i < samples; ++i) {
        records.push_back(synthetic_record(variant.fingerprint, info.tasks.front(), length, i));
        if (!variant.server.empty()) change(length, i, records.back());
      }
  return records;
}

RunInfo nightly_info() {
  RunInfo info = synthetic_info();
  info.tasks = {"s2"};
  info.lengths = {4096, 65536};
  info.variants.resize(1);
  return info;
}

Results nightly(std::int64_t n, const Hit& hit, const RunInfo& info) {
  std::vector<Record> records;
  for (const std::int64_t length : info.lengths)
    for (std::int64_t i = 0; i < n; ++i) {
      const Record record = synthetic_record(info.variants[0].fingerprint, "s2", length, i);
      records.push_back(hit(length, i) ? record : missed(record));
    }
  return collect(info, records);
}

}  // namespace niah::reports
