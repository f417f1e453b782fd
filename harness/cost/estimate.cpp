#include "harness/cost/estimate.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>

#include "harness/base/error.h"
#include "harness/base/memory.h"
#include "harness/base/units.h"
#include "harness/engine/local/batched_decode.h"
#include "harness/engine/local/prefix_schedule.h"
#include "models/checkpoint/checkpoint.h"
#include "models/decode/prefix_reader.h"
#include "models/device.h"
#include "models/registry.h"

namespace niah {
namespace {

// Compared with the runs of the zoo and of a model of 0.5B parameters: hidden-size and widest-size
// tensors of one pass that are alive at once, some of them in fp32.
constexpr double kHiddenCopies = 6, kWideCopies = 4;
constexpr std::int64_t kDraftTokens = 32;

/// Whether the last wanted position needs no more of the others than their keys and values.
bool only_attends(const models::MixerInfo& mixer) { return mixer.attends && !mixer.is_recurrent(); }

/// Keys that the token at `position` sees in a softmax layer.
double seen(const models::MixerCost& mixer, double position) {
  return mixer.window > 0 ? std::min(position, static_cast<double>(mixer.window)) : position;
}

/// FLOPs of one layer's mixer, beside its matrices, for positions [begin, end).
double mixer_flops(const models::MixerCost& mixer, std::int64_t begin, std::int64_t end) {
  const auto tokens = static_cast<double>(end - begin);
  const double middle = static_cast<double>(begin + end) / 2;
  return tokens *
         (mixer.token_flops + 4 * static_cast<double>(mixer.query_values) * seen(mixer, middle));
}

/// Bytes of one layer's memory that grow with the text, and that do not.
struct LayerBytes {
  double cache = 0, fixed = 0;
};

LayerBytes layer_bytes(const models::MixerCost& mixer, std::int64_t tokens, std::int64_t element) {
  const auto values = static_cast<double>(mixer.kv_values), size = static_cast<double>(element);
  LayerBytes bytes;
  bytes.fixed =
      4 * static_cast<double>(mixer.state_values) + size * static_cast<double>(mixer.tail_values);
  if (mixer.window > 0)
    bytes.fixed += size * values * static_cast<double>(std::min(tokens, mixer.window - 1));
  else
    bytes.cache = size * values * static_cast<double>(tokens);
  return bytes;
}

}  // namespace

GroupShape group_shape(const models::CausalLM& model, std::string name, std::int64_t variants,
                       std::int64_t shared, at::ScalarType dtype) {
  GroupShape shape;
  shape.name = std::move(name);
  shape.info = model.info();
  shape.variants = variants;
  shape.shared_layers = shared;
  shape.element = static_cast<std::int64_t>(c10::elementSize(dtype));
  shape.layer_parameters.assign(shape.info.mixers.size(), 0);
  double last_mixer = 0;
  shape.head_parameters =
      static_cast<double>(shape.info.vocab_size) * static_cast<double>(shape.info.hidden_size);
  const auto parts = models::parts_by_tensor(shape.info);
  for (const auto& item : model.named_parameters()) {
    const auto part = parts.find(item.key());
    if (part == parts.end() || !part->second.front().layer) continue;
    const bool is_expert = part->second.front().rows.part == models::Part::kExpert;
    // A layer's experts may be one tensor of three dimensions; other such are no matrices.
    if (item.value().dim() != 2 && !(is_expert && item.value().dim() == 3)) continue;
    const std::int64_t layer = *part->second.front().layer;
    const double used = is_expert ? shape.info.expert_share : 1;
    const double count = used * static_cast<double>(item.value().numel());
    shape.layer_parameters[static_cast<std::size_t>(layer)] += count;
    shape.widest = std::max(shape.widest, item.value().size(item.value().dim() - 2));
    if (layer + 1 == model.num_layers() && part->second.front().in_mixer) last_mixer += count;
  }
  const models::MixerInfo& last = shape.info.mixers.back();
  shape.last_intake = only_attends(last) ? static_cast<double>(last.cost.kv_values) *
                                               static_cast<double>(shape.info.hidden_size)
                                         : last_mixer;
  return shape;
}

GroupShape group_shape(const VariantGroup& group, at::ScalarType dtype) {
  const models::PrefixReader reader(models_of(group), 0);
  return group_shape(*group.front().model,
                     fmt::format("{}: {}", group.front().info.model, names_of(group)),
                     static_cast<std::int64_t>(group.size()), reader.shared_layers(), dtype);
}

namespace {

/// The states of so many of a group's variants after `tokens` tokens; what all share counts once.
LayerBytes state_bytes(const GroupShape& group, std::int64_t tokens, std::int64_t variants) {
  LayerBytes sum;
  for (std::size_t i = 0; i < group.info.mixers.size(); ++i) {
    const bool shared = static_cast<std::int64_t>(i) < group.shared_layers;
    const auto copies = static_cast<double>(shared ? 1 : variants);
    const LayerBytes bytes = layer_bytes(group.info.mixers[i].cost, tokens, group.element);
    sum.cache += copies * bytes.cache;
    sum.fixed += copies * bytes.fixed;
  }
  return sum;
}

}  // namespace

MemoryPrice price_cell_memory(const GroupShape& group, const CellNeeds& needs) {
  MemoryPrice price;
  const LayerBytes state = state_bytes(group, needs.tokens, group.variants);
  const double fixed = state.fixed;
  price.cache = state.cache;
  // The state itself, the point before the question, and the marks.
  price.states = 2 * fixed + std::min(static_cast<double>(needs.marks) * fixed,
                                      static_cast<double>(needs.mark_budget));
  const auto hidden = static_cast<double>(group.info.hidden_size);
  const std::int64_t rows = std::max(kDraftTokens, needs.draft);
  price.chunk = 4 * static_cast<double>(needs.chunk) *
                    (kHiddenCopies * hidden + kWideCopies * static_cast<double>(group.widest)) +
                static_cast<double>(rows * group.info.vocab_size * (group.element + 4));
  // In bf16 the attention kernel packs the keys and values of one layer anew.
  double largest_cache = 0;
  for (const models::MixerInfo& mixer : group.info.mixers)
    largest_cache =
        std::max(largest_cache, layer_bytes(mixer.cost, needs.tokens, group.element).cache);
  if (group.element == 2) price.chunk += largest_cache;
  price.samples = 4 * static_cast<double>(needs.prompt_tokens);
  for (double* part : {&price.cache, &price.states, &price.chunk, &price.samples})
    *part *= static_cast<double>(needs.workers);
  return price;
}

double read_flops(const GroupShape& group, std::int64_t begin, std::int64_t end) {
  const auto tokens = static_cast<double>(end - begin);
  const auto layers = static_cast<std::int64_t>(group.layer_parameters.size());
  double total = 0;
  for (std::int64_t i = 0; i < layers; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const auto copies = static_cast<double>(i < group.shared_layers ? 1 : group.variants);
    const bool last = i + 1 == layers;
    double flops = 2 * tokens * (last ? group.last_intake : group.layer_parameters[index]);
    if (!last || !only_attends(group.info.mixers[index]))
      flops += mixer_flops(group.info.mixers[index].cost, begin, end);
    total += copies * flops;
  }
  return total;
}

double ask_flops(const GroupShape& group, std::int64_t begin, std::int64_t end, std::int64_t rows) {
  GroupShape one = group;
  one.variants = 1;
  const double last =
      2 * group.layer_parameters.back() + mixer_flops(group.info.mixers.back().cost, end - 1, end);
  return read_flops(one, begin, end) +
         static_cast<double>(rows) * (last + 2 * group.head_parameters);
}

double SpeedLine::at(std::int64_t position) const {
  const double share = static_cast<double>(position) / static_cast<double>(far);
  // Noise must not make a longer text cheaper.
  return at_start + std::max(0.0, at_far - at_start) * share;
}

namespace {

/// Adds a question to what its cell makes a run hold.
void add_needs(CellNeeds& needs, const Question& question) {
  needs.tokens = std::max(needs.tokens, question.longest());
  needs.draft = std::max(needs.draft, static_cast<std::int64_t>(question.draft.size()));
  needs.prompt_tokens += static_cast<std::int64_t>(question.ids.size());
}

/// What all workers' long answers take at most; there are no more than there are samples.
double answer_bytes(const GroupShape& group, std::int64_t tokens, std::int64_t budget,
                    std::int64_t workers, std::int64_t samples) {
  const LayerBytes parts = state_bytes(group, tokens, 1);
  const double state = parts.cache + parts.fixed;
  double weights = group.head_parameters;
  for (const double parameters : group.layer_parameters) weights += parameters;
  const std::int64_t each =
      batch_bytes(static_cast<std::int64_t>(state),
                  static_cast<std::int64_t>(weights * static_cast<double>(group.element)),
                  group.variants, budget);
  return std::min(static_cast<double>(workers * each),
                  static_cast<double>(samples * group.variants) * state);
}

/// Adds what one prompt and its answers cost.
void add_prompt(CellPrice& price, const GroupShape& group, const ScheduledPrompt& scheduled,
                const Question& question, std::int64_t chunk, const Throughput* speed) {
  const auto tokens = static_cast<std::int64_t>(question.ids.size());
  const auto drafted = static_cast<std::int64_t>(question.draft.size());
  const auto variants = static_cast<double>(group.variants);
  // The prompt but for its last token is read for all variants at once.
  const std::int64_t shared_end = tokens - 1;
  price.computed_tokens += shared_end - scheduled.resume + group.variants * (1 + drafted);
  price.flops += read_flops(group, scheduled.resume, shared_end) +
                 variants * ask_flops(group, shared_end, tokens + drafted, drafted + 1);
  if (speed == nullptr) return;
  for (std::int64_t at = scheduled.resume; at < scheduled.tail; at += chunk)
    price.seconds_low += speed->chunk.at(at);
  price.seconds_low += speed->chunk.at(scheduled.tail) *
                       static_cast<double>(shared_end - scheduled.tail) /
                       static_cast<double>(chunk);
  const double one = speed->token.at(tokens), answer = speed->answer.at(tokens);
  const double share =
      static_cast<double>(drafted) / static_cast<double>(Throughput::kAnswerTokens - 1);
  price.seconds_low += variants * (one + std::max(0.0, answer - one) * share);
  price.seconds_high += variants * static_cast<double>(question.room()) * one;
}

}  // namespace

std::vector<CellPrice> price_cells(const GroupShape& group,
                                   const std::vector<LabelledQuestions>& cells,
                                   const RuntimeConfig& runtime, std::int64_t chunk,
                                   std::int64_t workers, std::int64_t answers,
                                   const Throughput* speed) {
  std::vector<CellPrice> prices;
  std::vector<PromptIds> prompts;
  std::vector<std::pair<CellPrice*, const Question*>> asked;  // by prompt
  prices.reserve(cells.size());
  CellNeeds needs{.chunk = chunk, .mark_budget = runtime.mark_memory, .workers = workers};
  for (const LabelledQuestions& cell : cells) {
    CellPrice& price = prices.emplace_back();
    price.label = cell.label;
    price.variants = group.name;
    price.samples = static_cast<std::int64_t>(cell.questions.size());
    for (const Question& question : cell.questions) {
      const auto tokens = static_cast<std::int64_t>(question.ids.size());
      price.prompt_tokens += tokens;
      add_needs(needs, question);
      prompts.push_back(question.ids);
      asked.emplace_back(&price, &question);
    }
  }
  const std::vector<ScheduledPrompt> schedule =
      schedule_prefixes(prompts, chunk, runtime.share_prefixes);
  for (const ScheduledPrompt& scheduled : schedule) {
    const auto& [price, question] = asked[scheduled.prompt];
    add_prompt(*price, group, scheduled, *question, chunk, speed);
  }
  needs.marks = most_snapshots(schedule);
  for (CellPrice& price : prices) {
    price.seconds_high += price.seconds_low;
    price.memory = price_cell_memory(group, needs);
    price.memory.answers = answer_bytes(group, needs.tokens, answers, workers, std::ssize(prompts));
  }
  return prices;
}

GroupCost group_cost(const GroupShape& group) {
  const auto shape = std::make_shared<const GroupShape>(group);
  return {.read = [shape](std::int64_t begin,
                          std::int64_t end) { return read_flops(*shape, begin, end); },
          .ask = [shape](std::int64_t begin, std::int64_t end,
                         std::int64_t rows) { return ask_flops(*shape, begin, end, rows); },
          .variants = group.variants};
}

std::optional<double> memory_limit(const RuntimeConfig& runtime, at::Device device) {
  if (runtime.memory > 0) return static_cast<double>(runtime.memory);
  if (!device.is_cpu()) {
    const auto free = models::free_device_memory(device);
    return free ? std::optional(static_cast<double>(*free)) : std::nullopt;
  }
  const auto left = available_memory();
  if (!left) return std::nullopt;
  return static_cast<double>(*left + resident_memory());
}

double program_memory(const Machine& machine) {
  return machine.device.is_cpu() ? static_cast<double>(resident_memory()) : 0;
}

namespace {

/// Weights and groups of a model as its files' headers tell them: checkpoints are taken to differ
/// in every layer, restored variants to share those below the first softmax layer.
struct HeaderPrice {
  double weights = 0;
  std::vector<GroupShape> groups;
};

HeaderPrice read_headers(const ModelConfig& model, at::ScalarType dtype) {
  HeaderPrice price;
  const auto element = static_cast<double>(c10::elementSize(dtype));
  std::set<models::CheckpointPath> counted;
  const auto open = [&](const models::CheckpointPath& path) {
    const models::Checkpoint checkpoint(path);
    const auto meta = models::check_tensors(
        checkpoint, models::override_config(checkpoint.config(), model.override));
    // Adapters hold their base once, and beside it what they change of it.
    const bool is_new_folder = counted.insert(path.folder).second;
    const bool is_new_adapter = path.has_adapter() && counted.insert(path).second;
    for (const auto& item : meta->named_parameters()) {
      const int held =
          (is_new_folder ? 1 : 0) + (is_new_adapter && checkpoint.is_adapted(item.key()) ? 1 : 0);
      price.weights += held * element * static_cast<double>(item.value().numel());
    }
    return meta;
  };
  std::int64_t of_sft = 0;
  for (const VariantConfig& variant : model.variants) {
    const bool restored = variant.kind == VariantKind::kRestored;
    if (restored || variant.kind == VariantKind::kSft) {
      ++of_sft;
      continue;
    }
    const bool base = variant.kind == VariantKind::kBase;
    price.groups.push_back(group_shape(*open(base ? model.base : variant.checkpoint),
                                       fmt::format("{}: {}", model.name, variant.name), 1, 0,
                                       dtype));
  }
  if (of_sft == 0) return price;
  open(model.base);  // its W_Q and W_K are needed even where it does not run
  const auto sft = open(model.sft);
  const auto& mixers = sft->info().mixers;
  const auto softmax = std::find_if(mixers.begin(), mixers.end(),
                                    [](const models::MixerInfo& mixer) { return mixer.attends; });
  const std::int64_t shared = softmax - mixers.begin();
  price.groups.push_back(group_shape(*sft, fmt::format("{}: fine-tuned and restored", model.name),
                                     of_sft, std::min(shared, sft->num_layers() - 1), dtype));
  return price;
}

std::string describe_parts(const MemoryPrice& price) {
  return fmt::format(
      "weights {}, KV cache {}, states {}, one chunk {}, samples and the program itself {}",
      format_bytes(price.weights), format_bytes(price.cache), format_bytes(price.states),
      format_bytes(price.chunk), format_bytes(price.samples + price.program));
}

}  // namespace

std::int64_t require_memory(const WorkList& work, const Machine& machine) {
  const SweepConfig& sweep = work.sweep();
  const auto limit = memory_limit(sweep.runtime, machine.device);
  if (!limit) return sweep.runtime.mark_memory;
  const double program = program_memory(machine);
  double weights = 0;
  std::vector<GroupShape> groups;
  std::int64_t hidden = 0;
  for (const ModelConfig& model : sweep.models) {
    HeaderPrice headers = read_headers(model, machine.dtype);
    weights += headers.weights;
    for (GroupShape& group : headers.groups) {
      hidden = std::max(hidden, group.info.hidden_size);
      groups.push_back(std::move(group));
    }
  }
  const std::int64_t workers = count_workers(hidden, machine);
  const auto needs_of = [&](const WorkItem& cell) {
    CellNeeds needs{.chunk = prefill_chunk(sweep.runtime, machine),
                    .marks = 1,
                    .mark_budget = sweep.runtime.mark_memory,
                    .workers = workers};
    if (cell.cell == nullptr) {  // problems are short, and not known by their length
      for (const Question& question : work.questions(cell)) add_needs(needs, question);
      return needs;
    }
    needs.tokens = cell.length + sweep.generation.max_new_tokens;
    needs.prompt_tokens = cell.length * cell.samples;
    return needs;
  };
  const auto price_of = [&](const GroupShape& group, const CellNeeds& needs) {
    MemoryPrice price = price_cell_memory(group, needs);
    price.program = program;
    price.weights = weights;
    return price;
  };
  std::int64_t fits = 0;
  double most = 0;
  std::string refused;
  for (const WorkItem& cell : work.assignments()) {
    const CellNeeds needs = needs_of(cell);
    for (const GroupShape& group : groups) {
      const MemoryPrice price = price_of(group, needs);
      most = std::max(most, price.total());
      if (price.total() <= *limit) continue;
      if (refused.empty())
        refused =
            fmt::format("{} of {} needs {} ({}), and {} may be used", cell.label, group.name,
                        format_bytes(price.total()), describe_parts(price), format_bytes(*limit));
    }
    if (refused.empty()) fits = std::max(fits, cell.length);
  }
  if (refused.empty())
    return std::min(sweep.runtime.mark_memory,
                    static_cast<std::int64_t>((*limit - most) / static_cast<double>(workers)));
  const std::string what_fits =
      fits > 0 ? fmt::format("Lengths up to {} fit (--set lengths=[…]).", format_length(fits))
      : weights + program > *limit
          ? fmt::format(
                "The weights alone do not fit: run fewer checkpoints at once{}.",
                machine.dtype == at::kFloat ? ", or half of the size with runtime.dtype: bf16" : "")
          : std::string(
                "Fewer variants, a smaller runtime.prefill_chunk or fewer samples a cell "
                "need less.");
  throw DataError(fmt::format(
      "planning {}: it does not fit in memory: {}. {} runtime.memory_mib sets another limit.",
      sweep.name, refused, what_fits));
}

}  // namespace niah
