// Engine, the conductor: takes jobs, queues them, runs their pipelines, and answers for them.
//
//   submit ─ checked, admitted, stored ─► PENDING ─► one coroutine per running job walks the
//   pipeline's graph, calls stages, gathers ─► result stored ─► waiters, watchers
//
// Every job's state lives on one loop's thread, so limits, cancel and deadlines are exact and there
// is not one lock. An engine is one shard: it never assumes that it is the only one. All calls on
// the loop's thread. It must outlive run(), and everything it was given must outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/async.h"
#include "services/engine/engine_limits.h"
#include "services/engine/engine_stats.h"
#include "services/engine/errors.h"
#include "services/engine/watch.h"
#include "services/pipeline/pipeline_library.h"
#include "services/pipeline/stage_catalog.h"
#include "services/stages/stages.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata {

// Exactly one of pipeline, pipeline_yaml and stage.
struct SubmitRequest {
  std::string pipeline;
  std::string pipeline_yaml;
  std::string stage;  // "http/get"; called with the input as it is
  std::string input;  // UTF-8 JSON text; empty: {}
  Labels labels;
  std::string queue;  // empty: "default"
  int32_t priority = 0;
  std::string request_id;                             // empty: none
  absl::Duration timeout = absl::InfiniteDuration();  // of the whole job, from now
};

struct ListQuery {
  JobFilter filter;
  size_t page_size = 50;
  std::string page_token;
};

enum class CancelCause : uint8_t { kRequested, kClientGone, kShutdown };

class Engine {
 public:
  // `catalog` checks inline pipelines; null: they are checked when they run.
  Engine(Loop& loop, JobStore& store, Stages& stages, const PipelineLibrary& pipelines,
         const Clock& clock, absl::BitGenRef random, const EngineLimits& limits,
         const StageCatalog* catalog = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Serves until stop(); running jobs are its children. Answers once they all have ended.
  Co<absl::Status> run();

  // Accepted means stored: an OK answer survives what the store survives.
  //   wakes when   the job is stored, or refused; errors: errors.h
  //   on cancel    waits for the store; a job that was accepted meanwhile runs
  //   on shutdown  refused DRAINING
  Co<absl::StatusOr<JobView>> submit(SubmitRequest request);

  // Submits and waits for the end. An error means refused; look at `state` for how it ended.
  //   on cancel    the job is cancelled when this was the last one to wait for it in this way,
  //                unless `detach`
  Co<absl::StatusOr<JobView>> submit_and_wait(SubmitRequest request, bool detach);

  // NOT_FOUND.
  Co<absl::StatusOr<JobView>> get(std::string id);

  // Newest first. INVALID_ARGUMENT for a bad page token.
  Co<absl::StatusOr<JobPage>> list(ListQuery query);

  // The job when it has ended, or as it is at `until`. NOT_FOUND.
  //   on cancel    at once; the job is not touched
  Co<absl::StatusOr<JobView>> wait(std::string id, absl::Time until);

  // After_sequence 0 begins with a SNAPSHOT. NOT_FOUND.
  Co<absl::StatusOr<Watch>> watch(std::string id, int64_t after_sequence);

  // Tells the job to stop and answers at once: CANCELLING, or as it is. Idempotent.
  // NOT_FOUND; FAILED_PRECONDITION when it has ended.
  Co<absl::StatusOr<JobView>> request_cancel(std::string id, CancelCause cause);

  // The same, and answers with the job when it has really stopped: no stage of it runs any more.
  //   on cancel    at once; the job goes on stopping
  Co<absl::StatusOr<JobView>> cancel(std::string id, CancelCause cause);

  // Forgets a finished job. NOT_FOUND; FAILED_PRECONDITION when it has not ended.
  Co<absl::Status> remove(std::string id);

  // From now on submits are refused with DRAINING. Jobs go on, queued ones too.
  void begin_drain();
  // True when no unfinished job is left, false at `until`.
  Co<bool> drained(absl::Time until);
  // Cancels every job that is left (reason SHUTDOWN) and lets run() end.
  void stop();

  EngineStats stats() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace fermata
