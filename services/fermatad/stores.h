// Stores: the store that a configuration asks for, made of the engines that there are.
//
//   no store.directory         MemoryStore
//   store.directory            SqliteStore; its queues are durable or relaxed
//   … and some memory queues   RoutedStore over both
//
// Owned by the daemon; close() before it is destroyed. Loop thread only.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "services/async/async.h"
#include "services/config/config.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata {

class Stores {
 public:
  // Reads files: call it at start. Errors name what is wrong with the directory and what to do.
  static absl::StatusOr<std::unique_ptr<Stores>> open(Loop& loop, const Clock& clock,
                                                      const Config& config);

  JobStore& store() { return *top_; }

 private:
  Stores() = default;

  std::unique_ptr<JobStore> memory_;
  std::unique_ptr<JobStore> lasting_;
  std::unique_ptr<JobStore> routed_;
  JobStore* top_ = nullptr;
};

}  // namespace fermata
