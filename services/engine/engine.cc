#include "services/engine/engine.h"

#include "services/engine/execution.h"

namespace fermata {

Engine::Engine(Loop& loop, JobStore& store, Stages& stages, const PipelineLibrary& pipelines,
               const Clock& clock, absl::BitGenRef random, const EngineLimits& limits,
               const StageCatalog* catalog)
    : loop_(loop),
      limits_(limits),
      store_(store),
      clock_(clock),
      ids_(random),
      admission_(limits_),
      journal_(clock, limits_, stats_),
      plans_(pipelines, stages, catalog, stats_),
      context_{stages, store, journal_, admission_, stats_, clock, random, limits_, drain_},
      forget_at_(kForgetFrom) {
  drain_.held_changed = [this] {
    dispatch();
    note_rest();
  };
}

Engine::~Engine() {
  FERMATA_CHECK(group_ == nullptr, "an engine was destroyed while it was serving");
  FERMATA_CHECK(live_.empty(), "an engine was destroyed while it had jobs");
}

void Engine::begin_drain() { drain_.begun = true; }

void Engine::stop() {
  drain_.begun = stopping_ = true;
  stop_requested_.set();
}

Co<bool> Engine::drained(absl::Time until) {
  while (!at_rest() && clock_.now() < until) {
    absl::Status rested = co_await timeout_at(until, rested_.wait());
    if (!rested.ok()) break;
  }
  co_return at_rest();
}

bool Engine::at_rest() const {
  if (!drain_.begun) return unfinished() == 0;
  const size_t waiting = pending_.size() + backlog_.parked().size() + drain_.held;
  return live_.size() <= waiting &&
         !pending_.has([this](const Job& job) { return may_begin(job); });
}

void Engine::note_rest() {
  if (!live_.empty() && !at_rest()) return;
  rested_.set();
  rested_.clear();
}

EngineStats Engine::stats() const {
  EngineStats stats = stats_;
  stats.bytes = admission_.bytes();
  stats.running = running_;
  stats.oldest_pending = pending_.oldest();
  stats.in_store = backlog_.absent();
  stats.jobs[static_cast<size_t>(JobState::kPending)] += static_cast<int64_t>(stats.in_store);
  stats.draining = drain_.begun;
  stats.watchers = journal_.readers();
  return stats;
}

}  // namespace fermata
