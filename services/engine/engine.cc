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
      context_{stages, store, journal_, admission_, stats_, clock, random, limits_},
      forget_at_(kForgetFrom) {}

Engine::~Engine() {
  FERMATA_CHECK(group_ == nullptr, "an engine was destroyed while it was serving");
  FERMATA_CHECK(live_.empty(), "an engine was destroyed while it had jobs");
}

void Engine::begin_drain() { draining_ = true; }

void Engine::stop() {
  draining_ = stopping_ = true;
  stop_requested_.set();
}

Co<bool> Engine::drained(absl::Time until) {
  while (unfinished() > 0 && clock_.now() < until) {
    absl::Status emptied = co_await timeout_at(until, emptied_.wait());
    if (!emptied.ok()) break;
  }
  co_return unfinished() == 0;
}

EngineStats Engine::stats() const {
  EngineStats stats = stats_;
  stats.bytes = admission_.bytes();
  stats.running = running_;
  stats.oldest_pending = pending_.oldest();
  stats.in_store = backlog_.absent();
  stats.jobs[static_cast<size_t>(JobState::kPending)] += static_cast<int64_t>(stats.in_store);
  stats.draining = draining_;
  stats.watchers = journal_.readers();
  return stats;
}

}  // namespace fermata
