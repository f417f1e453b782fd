#include "harness/engine/local/cell_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "harness/base/progress.h"
#include "harness/engine/local/memory_guard.h"

namespace niah {

OpenList::OpenList(RequestList list, std::vector<std::shared_ptr<models::CausalLM>> models,
                   ReadCost cost, const LocalSettings& settings, const AnswerSink& sink)
    : list_(std::move(list)), models_(std::move(models)), sink_(&sink) {
  for (Request& request : list_.requests) {
    longest_ = std::max(longest_, request.longest());
    prompts_.push_back(std::move(request.ids));
    is_open_.emplace_back(models_.size(), false);
    for (const std::size_t variant : request.variants) is_open_.back().at(variant) = true;
  }
  schedule_ = std::make_unique<WorkStealingSchedule>(
      prompts_, schedule_prefixes(prompts_, settings.chunk, settings.share_prefixes),
      std::move(cost));
}

void OpenList::give(const Answer& answer) {
  (*sink_)(answer);
  is_open_[answer.id.request][answer.id.variant] = false;
}

void OpenList::fail_unread() {
  for (const std::size_t request : schedule_->unread())
    for (std::size_t variant = 0; variant < models_.size(); ++variant)
      if (is_open({request, variant}))
        give({.id = {request, variant},
              .failure = Failure{"oom", "out of memory while reading the prompt", true}});
}

CellReader::CellReader(OpenList& list, const LocalSettings& settings,
                       const models::Tokenizer& tokenizer)
    : list_(&list),
      tokenizer_(&tokenizer),
      chunk_(settings.chunk),
      reader_(list.models(), list.longest()),
      batch_(list.models(), list.longest(), settings.answer_memory,
             [&list](const DecodeSession& session) { list.give(session.answer()); }),
      snapshots_(reader_, settings.snapshot_memory) {}

/// Reads the part of a prompt that all variants share, from the latest snapshot of it on.
CellReader::Shared CellReader::read_shared(const ScheduledPrompt& prompt) {
  const auto begin = std::chrono::steady_clock::now();
  const std::int64_t start = snapshots_.go_back(prompt);
  read_prompt(reader_, list_->prompt(prompt.prompt), start, chunk_, [&](std::int64_t at) {
    const bool lost = at == prompt.resume && !prompt.last_return;  // dropped for the budget
    if (lost || std::binary_search(prompt.snapshots.begin(), prompt.snapshots.end(), at))
      snapshots_.take();
  });
  reader_.wait();
  return {reader_.position() - start, seconds_since(begin)};
}

void CellReader::ask_all(std::size_t request, Shared shared) {
  const PromptIds& ids = list_->prompt(request);
  const TokenIds prompt(ids.begin(), ids.end());
  const models::PrefixReader::Snapshot before = reader_.mark();
  for (std::size_t v = 0; v < list_->models().size(); ++v) {
    if (!list_->is_open({request, v})) continue;
    auto session =
        std::make_unique<DecodeSession>(AnswerId{request, v}, list_->request(request),
                                        list_->models()[v]->info().eos_ids, prompt, *tokenizer_);
    // What was read for all variants together counts for the first of them.
    const Shared once = std::exchange(shared, {});
    session->account(once.tokens, once.seconds);
    bool goes_on = true, stays = true;
    while (goes_on && stays) {
      if (batch_.pays(reader_, v, *session)) stays = !batch_.add(reader_, v, session);
      if (stays) goes_on = session->pass(reader_, v, [&] { batch_.finish_all(); });
    }
    if (stays) list_->give(session->answer());
    reader_.rewind(before);
  }
}

bool CellReader::read(std::size_t worker, std::optional<ScheduledPrompt> prompt) {
  const bool fits = fits_in_memory([&] {
    for (; prompt; prompt = list_->schedule().next(worker)) {
      const Shared shared = read_shared(*prompt);
      ask_all(prompt->prompt, shared);
    }
  });
  batch_.finish_all();
  return fits;
}

}  // namespace niah
