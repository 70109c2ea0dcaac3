// Scrape: the bridge between a scraper's thread and the loop that owns the numbers.
//
// Collect() runs on a thread of the HTTP server. It posts one closure to the loop, which calls
// every source there (so that no number needs a lock) and hands the families over; Collect() waits
// for that a bounded time. A loop that is stuck therefore never piles up scraper threads: the
// scrape answers without the loop's families, with fermata_scrape_timeouts_total raised, and no
// second closure is posted while the first one is still waiting for the loop.
//
// This is a hand-over file: `mutex_` guards everything mutable below; nothing else is shared.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "prometheus/collectable.h"
#include "services/metrics/families.h"

namespace fermata {

class Scrape : public prometheus::Collectable {
 public:
  // Runs on the loop's thread at each scrape.
  using Source = std::function<void(Families&)>;
  // Runs its argument soon on the loop's thread; callable from any thread.
  using Post = std::function<void(absl::AnyInvocable<void()>)>;

  Scrape(Post post, absl::Duration wait, std::vector<Source> sources);

  //   wakes when   the loop has built the families, or `wait` is over
  //   on shutdown  stop() ends a wait at once
  std::vector<prometheus::MetricFamily> Collect() const override;

  // The loop is about to end: from now on Collect() asks it nothing. Call on the loop's thread.
  void stop();

 private:
  // Outlives this object when the loop still holds the closure.
  struct Shared {
    std::mutex mutex;
    std::condition_variable done;
    std::vector<prometheus::MetricFamily> families;  // of the request that ended last
    uint64_t requested = 0;
    uint64_t answered = 0;
    uint64_t timeouts = 0;
    bool stopped = false;
    std::vector<Source> sources;  // touched by the loop's thread only
  };
  static void answer(Shared& shared);

  Post post_;
  absl::Duration wait_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace fermata
