#include "harness/cost/dry_run.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

#include "harness/base/memory.h"
#include "harness/base/progress.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/cost/memory_limit.h"
#include "harness/cost/price_table.h"
#include "harness/cost/throughput.h"
#include "harness/engine/local/loading.h"
#include "harness/engine/local/machine.h"
#include "harness/plan/sharding.h"
#include "harness/run/cell_batch.h"

namespace niah {
namespace {

/// Bytes of all variants' parameters, each storage once.
double weight_bytes(const std::vector<LoadedVariant>& variants) {
  std::set<const void*> seen;
  double total = 0;
  for (const LoadedVariant& variant : variants)
    for (const at::Tensor& tensor : variant.model->parameters())
      if (seen.insert(tensor.const_data_ptr()).second)
        total += static_cast<double>(tensor.nbytes());
  return total;
}

std::string format_flops(double flops) {
  for (const char* unit : {"G", "T", "P"}) {
    const double next = unit[0] == 'G' ? 1e9 : unit[0] == 'T' ? 1e12 : 1e15;
    if (flops < 1000 * next || unit[0] == 'P')
      return fmt::format("{:.3g} {}FLOP", flops / next, unit);
  }
  return "";
}

std::string format_range(double low, double high) {
  const std::string from = format_duration(low), to = format_duration(high);
  return from == to ? from : fmt::format("{} to {}", from, to);
}

/// The inputs for pricing the cells of a sweep.
struct PricedGroups {
  std::vector<GroupShape> shapes{};
  std::vector<Throughput> throughputs{};  ///< one per shape; empty: no times
  std::int64_t chunk = 0;
  std::int64_t answers = 0;  ///< bytes that a worker may spend on long answers
};

/// Makes those samples and prices every cell for every group.
void add_cells(SweepPrice& price, const WorkList& work, const PricedGroups& groups,
               const ShardSamples& samples = {}) {
  const SweepConfig& sweep = work.sweep();
  for (const CellBatch& batch :
       batch_lengths(work.assignments(), sweep, sweep.runtime.share_prefixes,
                     group_cost(groups.shapes.front()))) {
    std::vector<LabelledQuestions> cells;
    std::vector<double> making;
    for (const WorkItem& assignment : batch) {
      const auto start = std::chrono::steady_clock::now();
      cells.push_back({assignment.label, work.questions(assignment, samples.wanted())});
      making.push_back(seconds_since(start));
      const std::string warning = work.short_warning(assignment, cells.back().questions);
      if (!warning.empty()) price.warnings.push_back(warning);
    }
    for (std::size_t group = 0; group < groups.shapes.size(); ++group) {
      std::vector<CellPrice> prices = price_cells(
          groups.shapes[group], cells, sweep.runtime, groups.chunk, price.workers, groups.answers,
          groups.throughputs.empty() ? nullptr : &groups.throughputs[group]);
      for (std::size_t cell = 0; cell < prices.size(); ++cell) {
        prices[cell].memory.weights = price.weights;
        prices[cell].memory.program = price.program;
        prices[cell].seconds_low += making[cell];
        prices[cell].seconds_high += making[cell];
        if (cells[cell].questions.empty()) continue;  // of other shards
        price.cells.push_back(std::move(prices[cell]));
      }
    }
  }
}

/// Adds up the time of all cells, which workers share down to single samples.
void add_up_time(SweepPrice& price) {
  std::int64_t samples = 0;
  for (const CellPrice& cell : price.cells) {
    samples += cell.samples;
    price.seconds_low += cell.seconds_low;
    price.seconds_high += cell.seconds_high;
  }
  const auto sharers = static_cast<double>(std::clamp<std::int64_t>(samples, 1, price.workers));
  price.seconds_low /= sharers;
  price.seconds_high /= sharers;
}

/// A sweep's models, loaded and measured.
struct MeasuredSweep {
  WorkList work;
  SweepPrice price{};  ///< of no cell yet
  PricedGroups priced{};
};

MeasuredSweep measure_sweep(const SweepConfig& sweep) {
  const Machine machine = prepare_machine(sweep.runtime);
  MeasuredSweep measured{.work = WorkList(sweep)};
  SweepPrice& price = measured.price;
  PricedGroups& priced = measured.priced;
  priced.chunk = prefill_chunk(sweep.runtime, machine);
  priced.answers = require_memory(measured.work, machine);
  price.program = program_memory(machine);
  price.limit = memory_limit(sweep.runtime, machine.device);
  const std::vector<LoadedVariant> variants = load_all(measured.work, machine);
  require_distinct(variants);
  const std::vector<VariantGroup> groups = group_variants(variants);
  price.weights = weight_bytes(variants);
  price.workers = count_workers(groups, machine);
  price.warnings = model_warnings(variants, measured.work);

  const auto begin = std::chrono::steady_clock::now();
  constexpr std::int64_t kFar = 32768;
  const std::int64_t far = std::clamp(measured.work.longest_length(), priced.chunk, kFar);
  for (const VariantGroup& group : groups) {
    priced.shapes.push_back(group_shape(group, machine.dtype));
    priced.throughputs.push_back(measure_throughput(group, priced.chunk, far, price.workers));
  }
  price.measured = seconds_since(begin);
  return measured;
}

}  // namespace

SweepPrice price_sweep(const SweepConfig& sweep, const ShardChoice& shard) {
  MeasuredSweep measured = measure_sweep(sweep);
  add_cells(measured.price, measured.work, measured.priced, samples_of_shard(measured.work, shard));
  add_up_time(measured.price);
  return measured.price;
}

std::vector<SweepPrice> price_shards(const SweepConfig& sweep, std::int64_t shards) {
  const MeasuredSweep measured = measure_sweep(sweep);
  const std::vector<reports::ShardPart> parts = share_out(measured.work, shards);
  std::vector<SweepPrice> prices(static_cast<std::size_t>(shards), measured.price);
  for (std::int64_t number = 1; number <= shards; ++number) {
    SweepPrice& price = prices[static_cast<std::size_t>(number - 1)];
    add_cells(price, measured.work, measured.priced,
              ShardSamples(reports::Shard{number, shards, parts}));
    add_up_time(price);
  }
  return prices;
}

SweepPrice price_sweep_by_headers(const SweepConfig& sweep, const ShardChoice& shard) {
  const Machine machine = prepare_machine(sweep.runtime);
  const WorkList work(sweep);
  HeaderPrice headers = price_headers(sweep, machine);
  SweepPrice price;
  price.program = program_memory(machine);
  price.limit = memory_limit(sweep.runtime, machine.device);
  price.weights = headers.weights;
  price.workers = headers.workers;
  add_cells(price, work,
            {.shapes = std::move(headers.groups),
             .chunk = prefill_chunk(sweep.runtime, machine),
             .answers = sweep.runtime.mark_memory},
            samples_of_shard(work, shard));
  return price;
}

std::string describe_price(const SweepPrice& price, const SweepConfig& sweep) {
  reports::Table table{"price",
                       "",
                       {{"cell", reports::Align::kLeft},
                        {"variants", reports::Align::kLeft},
                        {"samples"},
                        {"prompt tokens"},
                        {"computed tokens"},
                        {"work"},
                        {"KV cache"},
                        {"states"},
                        {"one chunk"},
                        {"memory in all"},
                        {"time", reports::Align::kLeft}},
                       {}};
  double flops = 0;
  std::int64_t prompt_tokens = 0, computed_tokens = 0;
  const CellPrice* most = nullptr;
  for (const CellPrice& cell : price.cells) {
    table.add_row({cell.label, shown_variants(cell.variants), fmt::to_string(cell.samples),
                   format_count(cell.prompt_tokens), format_count(cell.computed_tokens),
                   format_flops(cell.flops), format_bytes(cell.memory.cache),
                   format_bytes(cell.memory.states), format_bytes(cell.memory.chunk),
                   format_bytes(cell.memory.total()),
                   price.measured ? format_range(cell.seconds_low, cell.seconds_high) : "-"});
    flops += cell.flops;
    prompt_tokens += cell.prompt_tokens;
    computed_tokens += cell.computed_tokens;
    if (most == nullptr || cell.memory.total() > most->memory.total()) most = &cell;
  }
  std::string text = price_table(table);
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "\nIn all {} prompt tokens; {} tokens are computed, {}.\n",
                 format_count(prompt_tokens), format_count(computed_tokens), format_flops(flops));
  if (price.measured)
    fmt::format_to(out,
                   "Time   {}{}\n       The first figure holds if every answer is found at once, "
                   "the second if "
                   "all of the {} tokens\n       are always generated. Measured in {:.1f} s on "
                   "this machine.\n",
                   format_range(price.seconds_low, price.seconds_high),
                   price.workers > 1 ? fmt::format(" on {} threads", price.workers) : "",
                   sweep.generation.max_new_tokens, *price.measured);
  else
    fmt::format_to(out,
                   "Time   not known: the headers alone were read, and nothing was measured\n");
  if (most != nullptr) {
    const MemoryPrice& memory = most->memory;
    fmt::format_to(
        out,
        "Memory {} at the peak ({}, {}):\n       weights {}, KV cache {}, states {}, chunk {}, "
        "samples {}, long answers {}, the program itself {}",
        format_bytes(memory.total()), most->label, single_line(most->variants),
        format_bytes(memory.weights), format_bytes(memory.cache), format_bytes(memory.states),
        format_bytes(memory.chunk), format_bytes(memory.samples), format_bytes(memory.answers),
        format_bytes(memory.program));
    if (price.limit) fmt::format_to(out, "; {} may be used", format_bytes(*price.limit));
    fmt::format_to(out, "\n");
  }
  for (const std::string& warning : price.warnings)
    fmt::format_to(out, "warning: {}\n", single_line(warning));
  return text;
}

}  // namespace niah
