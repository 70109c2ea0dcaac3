// Life: one run of a simulated daemon, from its start to its crash. The engine is the real one; the
// stages, the store, the clients, time and chance are simulated.
//
// What outlives it, the disk and the history, belongs to the simulation (simulation.h). A crash
// closes both at an instant between two steps; then the dead process is unwound, which nobody sees.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "services/async/async.h"
#include "services/async/sim_loop.h"
#include "services/engine/engine.h"
#include "services/stages/testing/fake_stages.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/history.h"

namespace fermata::simulation {

// What a client does with its job; drawn once, the same in every life.
struct ClientPlan {
  std::string key;  // its request id
  std::string pipeline;
  absl::Duration timeout = absl::InfiniteDuration();
  bool cancels = false;  // on the way, when it watches as well
  bool watches = false;
  bool deletes = false;
  bool repeats = false;  // sends its request again although it was answered
  int32_t priority = 0;
};

class Life {
 public:
  Life(uint64_t seed, Disk& disk, History& history, const std::vector<ClientPlan>& plans,
       const StoreFaults& faults);

  // Begins at `start`, since the first life began. `crash_at`: that long after it, at the latest
  // when every client has what it wants. Infinite: it ends by itself. An error: the engine or the
  // loop ended in a way it must not.
  absl::Status run(absl::Duration start, absl::Duration crash_at);
  absl::Duration now() { return absl::Nanoseconds(loop_.now_ns()); }

  History& history() { return history_; }
  bool happens(int percent) { return random_() % 100 < static_cast<uint64_t>(percent); }
  absl::Duration up_to(absl::Duration most);

 private:
  static Co<absl::Status> serve(TaskGroup& group, Life* self);
  static Co<absl::Status> main(Life* self);
  static Co<absl::Status> clients(TaskGroup& group, Life* self);
  static Co<absl::Status> client(Life* self, const ClientPlan* plan);
  static Co<absl::Status> reap(Life* self);
  Co<JobView> submit(const ClientPlan& plan);
  Co<void> cancel(const ClientPlan& plan, std::string id);
  Co<void> watch(const ClientPlan& plan, std::string id);
  Co<void> remove(const ClientPlan& plan, std::string id);
  void die();

  SimLoop loop_;
  LoopClock clock_;
  std::mt19937_64 random_;
  Disk& disk_;
  std::unique_ptr<LifeStore> store_;
  History& history_;
  const std::vector<ClientPlan>& plans_;
  FakeStages stages_;
  PipelineLibrary library_;
  Engine engine_;
  CancelScope alive_;  // of the clients
  absl::Duration start_;
  absl::Duration crash_at_;
};

}  // namespace fermata::simulation
