// What tests of SqliteStore share: a store on a FaultDisk and a simulated loop, opened as often as
// a test likes.
#pragma once

#include <functional>
#include <memory>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/sim_loop.h"
#include "services/store/sqlite/sqlite_store.h"
#include "tests/store/records.h"
#include "tests/store/testing/fault_vfs.h"

namespace fermata {

inline SqliteOptions on_disk(const FaultDisk& disk) {
  SqliteOptions options;
  options.directory = "disk";
  options.vfs = disk.vfs();
  options.own_thread = false;
  return options;
}

// Opens the store, plays, closes it.
inline absl::Status play_on(const SqliteOptions& options,
                            const std::function<Co<absl::Status>(SqliteStore&)>& scenario,
                            uint64_t seed = 0) {
  SimLoop loop(seed);
  LoopClock clock(loop);
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::open(loop, clock, options);
  if (!store.ok()) return store.status();
  const auto play = [](const std::function<Co<absl::Status>(SqliteStore&)>& scenario,
                       SqliteStore& store) -> Co<absl::Status> {
    absl::Status status = co_await scenario(store);
    co_await store.close();
    co_return status;
  };
  return loop.run(play, std::cref(scenario), std::ref(**store));
}

}  // namespace fermata
