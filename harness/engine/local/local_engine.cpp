#include "harness/engine/local/local_engine.h"

#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "harness/engine/local/memory_guard.h"

namespace niah {
namespace {

/// Sets how many threads the calling thread's passes compute with, but only if the number changes,
/// because setting it empties libtorch's caches.
void compute_with(std::int64_t threads) {
  if (at::get_num_threads() != threads) at::set_num_threads(static_cast<int>(threads));
}

}  // namespace

LocalEngine::LocalEngine(std::vector<LocalGroup> groups, const LocalSettings& settings,
                         const models::Tokenizer& tokenizer)
    : groups_(std::move(groups)),
      settings_(settings),
      tokenizer_(&tokenizer),
      pool_(settings.workers) {}

Capabilities LocalEngine::capabilities() const {
  return {.shares_prefixes = settings_.share_prefixes, .lists_at_once = settings_.workers};
}

/// One thread's part of a list. A thread that runs out of memory next to the others, even for its
/// first empty cache, leaves its prompts to them.
void LocalEngine::read_along(OpenList& list) const {
  const std::size_t worker = list.schedule().join();
  const std::optional<ScheduledPrompt> prompt = list.schedule().next(worker);
  if (!prompt) return;
  bool fits = false;
  const bool has_begun = fits_in_memory([&] {
    CellReader reader(list, settings_, *tokenizer_);
    fits = reader.read(worker, prompt);
  });
  if (!has_begun || !fits) list.schedule().give_up(worker);
}

void LocalEngine::answer(RequestList list, const AnswerSink& sink) {
  const LocalGroup& group = groups_.at(list.group);
  const std::stop_token stop = list.stop;
  // Threads that read in parallel compute on one core each.
  compute_with(list.is_alone || settings_.workers == 1 ? settings_.threads : 1);
  OpenList open(std::move(list), group.models, group.cost, settings_, sink);
  const std::stop_callback cancel(stop, [&] { open.schedule().cancel(); });
  pool_.share(open.schedule(), [&] { read_along(open); });
  if (!stop.stop_requested()) open.fail_unread();
}

void LocalEngine::help(const std::stop_token& until) {
  if (settings_.workers == 1) return;
  compute_with(1);
  pool_.help(until);
}

}  // namespace niah
