#include "harness/cost/served_price.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "harness/base/units.h"
#include "harness/config/variant_words.h"
#include "harness/cost/price_table.h"
#include "harness/engine/served/request_order.h"

namespace niah {
namespace {

struct ServedVariant {
  std::string name;  ///< with its model
  const ServedConfig* config = nullptr;
};

std::vector<ServedVariant> served_variants(const SweepConfig& sweep) {
  std::vector<ServedVariant> variants;
  for (const ModelConfig& model : sweep.models)
    for (const VariantConfig& variant : model.variants)
      if (variant.kind == VariantKind::kServed)
        variants.push_back({fmt::format("{} {}", model.name, variant.name), &server_of(variant)});
  return variants;
}

ServedPrice price_cell(const std::string& label, const std::vector<Question>& questions,
                       const ServedVariant& variant) {
  ServedPrice price{.label = label,
                    .variant = variant.name,
                    .samples = static_cast<std::int64_t>(questions.size())};
  const ServedConfig& config = *variant.config;
  for (const Question& question : questions) {
    const std::int64_t times = served::is_asked_twice(question.ids, config.cache_probe) ? 2 : 1;
    const auto prompt = static_cast<std::int64_t>(question.ids.size());
    price.requests += times;
    price.tokens_in += times * prompt;
    price.tokens_out += times * question.room();
    if (config.log_probs == "none" || question.draft.empty()) continue;
    ++price.requests;  // sends the expected answer, too; the one token generated is not used
    price.tokens_in += prompt + static_cast<std::int64_t>(question.draft.size());
    ++price.tokens_out;
  }
  return price;
}

}  // namespace

std::vector<ServedPrice> price_served(const WorkList& work, const ShardChoice& shard) {
  const ShardSamples samples = samples_of_shard(work, shard);
  const std::vector<ServedVariant> variants = served_variants(work.sweep());
  std::vector<ServedPrice> prices;
  for (const WorkItem& assignment : work.assignments()) {
    const std::vector<Question> questions = work.questions(assignment, samples.wanted());
    if (questions.empty()) continue;  // of other shards
    for (const ServedVariant& variant : variants)
      prices.push_back(price_cell(assignment.label, questions, variant));
  }
  return prices;
}

std::string describe_served(const std::vector<ServedPrice>& prices, const SweepConfig& sweep) {
  reports::Table table{"served price",
                       "",
                       {{"cell", reports::Align::kLeft},
                        {"served", reports::Align::kLeft},
                        {"samples"},
                        {"requests"},
                        {"tokens in"},
                        {"tokens out, at most"}},
                       {}};
  ServedPrice all;
  for (const ServedPrice& price : prices) {
    table.add_row({price.label, shown_variants(price.variant), format_count(price.samples),
                   format_count(price.requests), format_count(price.tokens_in),
                   format_count(price.tokens_out)});
    all.requests += price.requests;
    all.tokens_in += price.tokens_in;
    all.tokens_out += price.tokens_out;
  }
  std::string text = price_table(table);
  const auto out = std::back_inserter(text);
  fmt::format_to(out,
                 "\nServers: in all {} requests, {} tokens in, at most {} tokens out; retries come "
                 "on top.\n",
                 format_count(all.requests), format_count(all.tokens_in),
                 format_count(all.tokens_out));
  if (sweep.generation.stop_when_decided)
    fmt::format_to(out, "Answers end as soon as their outcome is known, mostly far earlier.\n");
  const std::vector<ServedVariant> variants = served_variants(sweep);
  if (std::any_of(variants.begin(), variants.end(),
                  [](const ServedVariant& one) { return one.config->api == "chat"; }))
    fmt::format_to(out, "What the server's chat template adds to a prompt is not included.\n");
  fmt::format_to(out,
                 "No server was asked: whether it is there and takes that many is not known.\n");
  return text;
}

}  // namespace niah
