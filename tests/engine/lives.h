// Lives of a server, one after the other over one store: an engine dies, another one opens what it
// left.
//
//   World world;
//   CrashStore first(world.kept), second(world.kept);
//   (void)live(world, first, &submits, seed, &add_pipelines);   // until first.over is set
//   (void)live(world, second, &finds, seed, &add_pipelines);
#pragma once

#include <map>
#include <string>

#include "services/async/async.h"
#include "tests/engine/crash_store.h"
#include "tests/engine/engine_harness.h"

namespace fermata {

// Stands still: lives come and go, each with a loop of its own.
class StoppedClock final : public Clock {
 public:
  absl::Time now() const override { return absl::FromUnixSeconds(1'700'000'000); }
};

// What outlives the processes, and what the client has been told.
struct World {
  StoppedClock clock;
  MemoryStore kept{clock, Retention()};
  std::map<std::string, std::string> told;  // request id -> job id
  std::map<std::string, int> ends;
};

using Client = Co<absl::Status> (*)(Harness*, CrashStore*, World*);

inline Co<absl::Status> live_until_over(TaskGroup& group, Harness* h, CrashStore* store,
                                        World* world, Client client) {
  group.spawn_named("engine", &Engine::run, &h->engine);
  group.spawn_named("client", client, h, store, world);
  co_await store->over.wait();
  // What a crash is for them: they are not asked.
  co_return absl::AbortedError("the process is gone");
}

inline Co<absl::Status> one_life(Harness* h, CrashStore* store, World* world, Client client) {
  co_return co_await with_group(&live_until_over, h, store, world, client);
}

// One life. `prepare` adds the pipelines that there are in it.
inline StageWorld live(World& world, CrashStore& store, Client client, uint64_t seed,
                       void (*prepare)(Harness&)) {
  Harness h(seed, {}, {}, &store);
  store.newest = world.ends.empty() ? "" : world.ends.rbegin()->first;
  prepare(h);
  const absl::Status status = h.loop.run(&one_life, &h, &store, &world, client);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  for (const auto& [id, ends] : store.ends) world.ends[id] += ends;
  return h.world;
}

}  // namespace fermata
