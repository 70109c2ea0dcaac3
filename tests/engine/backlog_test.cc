// Queues longer than their window: what the store alone has is answered for, ends and has its turn
// as if it were in memory.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "services/engine/errors.h"
#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

using enum JobState;

constexpr size_t kWindow = 4;

EngineLimits small_window(size_t running = 1) {
  EngineLimits limits;
  limits.window = kWindow;
  limits.running = running;
  return limits;
}

void durable(Harness& h) {
  h.store.durable = true;
  h.store.read_latency = absl::Microseconds(200);
}

SubmitRequest work(int n, std::string queue = "default", int32_t priority = 0) {
  const std::string key = std::to_string(n);
  SubmitRequest request =
      Harness::request("test/work", R"({"ms":1,"key":")" + key + R"(","value":)" + key + "}");
  request.queue = std::move(queue);
  request.priority = priority;
  request.request_id = "r" + key;
  return request;
}

// Takes the only place until `ms` have passed.
Co<absl::StatusOr<JobView>> block(Harness& h, int ms) {
  std::string input = R"({"key":"block","ms":)" + std::to_string(ms) + "}";
  co_return co_await h.submit("test/work", std::move(input));
}

Co<absl::StatusOr<std::vector<std::string>>> submit_some(Harness& h, int count) {
  std::vector<std::string> ids;
  for (int n = 0; n < count; ++n) {
    SubmitRequest request = work(n);
    JobView job = co_await Try(h.engine.submit(std::move(request)));
    ids.push_back(job->id());
  }
  co_return ids;
}

Co<absl::Status> all_end(Harness& h, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    JobView job = co_await Try(h.engine.wait(id, absl::InfiniteFuture()));
    EXPECT_EQ(job->state, kSucceeded) << job->reason;
  }
  for (const auto& [key, calls] : h.world.calls) EXPECT_EQ(calls, 1) << key;
  EXPECT_EQ(h.engine.stats().in_store, 0u);
  co_return absl::OkStatus();
}

Co<absl::Status> holds_a_window(Harness& h) {
  JobView blocker = co_await Try(block(h, 1000));
  std::vector<std::string> ids = co_await Try(submit_some(h, 30));
  EXPECT_EQ(h.engine.stats().in_store, 30 - kWindow);
  EXPECT_EQ(h.engine.stats().jobs[static_cast<size_t>(kPending)], 30);
  EXPECT_LT(h.engine.stats().bytes, 6 * bytes_of(*blocker));
  co_return co_await all_end(h, ids);
}
TEST(Backlog, ALongQueueHasOnlyItsWindowInMemoryAndAllOfItRuns) {
  for_each_seed(&holds_a_window, small_window(), &durable);
}

Co<absl::Status> keeps_order(Harness& h) {
  JobView blocker = co_await Try(block(h, 100));
  std::vector<JobView> jobs;
  for (int n = 0; n < 36; ++n) {
    SubmitRequest request = work(n, "default", static_cast<int32_t>(h.random() % 4));
    JobView job = co_await Try(h.engine.submit(std::move(request)));
    jobs.push_back(std::move(job));
    if (n % 7 == 0) co_await sleep(absl::Microseconds(h.random() % 900));
  }
  std::sort(jobs.begin(), jobs.end(), [](const JobView& a, const JobView& b) {
    return LanePlace::of(*b->spec).is_after(*a->spec);
  });
  absl::Time last = absl::InfinitePast();
  for (const JobView& submitted : jobs) {
    JobView job = co_await Try(h.engine.wait(submitted->id(), absl::InfiniteFuture()));
    EXPECT_GT(job->start_time, last);
    last = job->start_time;
  }
  co_return absl::OkStatus();
}
TEST(Backlog, PriorityAndAgeDecideAcrossTheWindow) {
  for_each_seed(&keeps_order, small_window(), &durable);
}

Co<absl::Status> takes_turns(Harness& h) {
  JobView blocker = co_await Try(block(h, 100));
  std::vector<std::string> ids;
  for (int n = 0; n < 40; ++n) {
    SubmitRequest request = work(n, "many");
    JobView job = co_await Try(h.engine.submit(std::move(request)));
    ids.push_back(job->id());
  }
  SubmitRequest request = work(40, "few");
  JobView few = co_await Try(h.engine.submit(std::move(request)));
  co_await Try(h.engine.wait(few->id(), absl::InfiniteFuture()));
  EXPECT_GT(h.engine.stats().jobs[static_cast<size_t>(kPending)], 30);
  co_return co_await all_end(h, ids);
}
TEST(Backlog, ALongQueueDoesNotHoldUpAShortOne) {
  for_each_seed(&takes_turns, small_window(), &durable);
}

Co<absl::Status> answers(Harness& h) {
  JobView blocker = co_await Try(block(h, 1000));
  std::vector<std::string> ids = co_await Try(submit_some(h, 30));
  JobView got = co_await Try(h.engine.get(ids.at(25)));
  EXPECT_EQ(got->state, kPending);
  ListQuery query;
  query.page_size = 1000;
  JobPage page = co_await Try(h.engine.list(query));
  EXPECT_EQ(page.jobs.size(), 31u);
  for (size_t i = 0; i < 30; ++i) EXPECT_EQ(page.jobs.at(29 - i)->id(), ids.at(i));
  query.filter.states = {kRunning};
  page = co_await Try(h.engine.list(query));
  EXPECT_EQ(page.jobs.size(), 1u) << "the store still has it as PENDING";
  absl::Status removed = co_await h.engine.remove(ids.at(25));
  EXPECT_EQ(detail_of(removed)->reason, "JOB_NOT_FINISHED");
  SubmitRequest again = work(25);
  JobView same = co_await Try(h.engine.submit(std::move(again)));
  EXPECT_EQ(same->id(), ids.at(25));
  JobView late = co_await Try(h.engine.wait(ids.at(20), now() + absl::Milliseconds(5)));
  EXPECT_EQ(late->state, kPending);
  co_return co_await all_end(h, ids);
}
TEST(Backlog, AJobThatOnlyTheStoreHasIsAnsweredFor) {
  for_each_seed(&answers, small_window(), &durable);
}

Co<absl::Status> watches(Harness& h) {
  JobView blocker = co_await Try(block(h, 100));
  std::vector<std::string> ids = co_await Try(submit_some(h, 30));
  std::string id = ids.at(25);
  Watch watch = co_await Try(h.engine.watch(id, 0));
  std::vector<JobState> states;
  int64_t sequence = 0;
  for (;;) {
    std::optional<JobEvent> event = co_await watch.next();
    if (!event.has_value()) break;
    EXPECT_GT(event->sequence, sequence);
    sequence = event->sequence;
    if (states.empty() || states.back() != event->state) states.push_back(event->state);
  }
  EXPECT_EQ(states, (std::vector<JobState>{kPending, kRunning, kSucceeded}));
  co_return co_await all_end(h, ids);
}
TEST(Backlog, AJobThatOnlyTheStoreHasCanBeWatchedToItsEnd) {
  for_each_seed(&watches, small_window(), &durable);
}

Co<absl::Status> cancels(Harness& h) {
  JobView blocker = co_await Try(block(h, 20));
  std::vector<std::string> ids = co_await Try(submit_some(h, 36));
  // While others run and the store is read.
  for (int n = 35; n >= 0; n -= 3) {
    std::string id = ids.at(static_cast<size_t>(n));
    absl::StatusOr<JobView> told = co_await h.engine.cancel(id, CancelCause::kRequested);
    if (told.ok()) {
      EXPECT_EQ((*told)->state, kCancelled);
    } else {
      EXPECT_EQ(detail_of(told.status())->reason, "JOB_FINISHED");
    }
    co_await sleep(absl::Microseconds(h.random() % 1500));
  }
  int cancelled = 0;
  for (size_t n = 0; n < ids.size(); ++n) {
    JobView job = co_await Try(h.engine.wait(ids.at(n), absl::InfiniteFuture()));
    const std::string key = std::to_string(n);
    if (job->state == kCancelled) {
      ++cancelled;
    } else {
      EXPECT_EQ(job->state, kSucceeded) << job->reason;
      EXPECT_EQ(h.world.calls[key], 1) << key;
    }
  }
  EXPECT_GT(cancelled, 4);
  co_return absl::OkStatus();
}
TEST(Backlog, ACancelledJobEndsOnceWhereverItIs) {
  for_each_seed(&cancels, small_window(), &durable);
}

Co<absl::Status> expires(Harness& h) {
  JobView blocker = co_await Try(block(h, 50));
  std::vector<std::string> soon, never;
  for (int n = 0; n < 30; ++n) {
    SubmitRequest request = work(n);
    if (n % 2 == 0) request.timeout = absl::Milliseconds(20);
    JobView job = co_await Try(h.engine.submit(std::move(request)));
    (n % 2 == 0 ? soon : never).push_back(job->id());
  }
  for (const std::string& id : soon) {
    JobView job = co_await Try(h.engine.wait(id, absl::InfiniteFuture()));
    EXPECT_EQ(job->state, kExpired);
    EXPECT_EQ(job->reason, "TIMED_OUT_PENDING");
    EXPECT_LT(job->end_time - job->spec->deadline, absl::Milliseconds(10));
  }
  co_return co_await all_end(h, never);
}
TEST(Backlog, DeadlinesHoldForJobsThatOnlyTheStoreHas) {
  for_each_seed(&expires, small_window(), &durable);
}

Co<absl::Status> read_fails(Harness& h) {
  JobView blocker = co_await Try(block(h, 10));
  std::vector<std::string> ids = co_await Try(submit_some(h, 30));
  h.store.failing_reads = true;
  co_await sleep(absl::Seconds(2));
  EXPECT_FALSE(h.engine.stats().store_healthy);
  EXPECT_GT(h.engine.stats().store_failures, 2u);
  EXPECT_GT(h.engine.stats().in_store, 10u);
  SubmitRequest request = work(30);
  JobView job = co_await Try(h.engine.submit(std::move(request)));
  ids.push_back(job->id());
  h.store.failing_reads = false;
  co_await Try(all_end(h, ids));
  EXPECT_TRUE(h.engine.stats().store_healthy);
  co_return absl::OkStatus();
}
TEST(Backlog, AReadThatFailsIsTriedAgainAndShows) {
  for_each_seed(&read_fails, small_window(), &durable);
}

Co<absl::Status> run_one(Harness* h) {
  SubmitRequest request = work(99);
  absl::StatusOr<JobView> job = co_await h->engine.submit_and_wait(std::move(request), false);
  ADD_FAILURE() << "nobody was there any more";
  co_return job.status();
}

Co<absl::Status> client_leaves(Harness& h) {
  JobView blocker = co_await Try(block(h, 100));
  std::vector<std::string> ids = co_await Try(submit_some(h, 20));
  CancelScope client(now() + absl::Milliseconds(20));
  Outcome<void> gone = co_await client.run(run_one(&h));
  EXPECT_TRUE(gone.cancelled());
  SubmitRequest request = work(99);
  JobView same = co_await Try(h.engine.submit(std::move(request)));
  JobView job = co_await Try(h.engine.wait(same->id(), absl::InfiniteFuture()));
  EXPECT_EQ(job->state, kCancelled);
  EXPECT_EQ(job->reason, "CLIENT_GONE");
  co_return co_await all_end(h, ids);
}
TEST(Backlog, AJobBehindTheWindowIsCancelledWithTheClientThatRunsIt) {
  for_each_seed(&client_leaves, small_window(), &durable);
}

Co<absl::Status> big_payloads(Harness& h) {
  JobView blocker = co_await Try(block(h, 20));
  std::vector<std::string> ids;
  for (int n = 0; n < 30; ++n) {
    SubmitRequest request = work(n);
    request.input.insert(1, std::string(2000, ' '));
    JobView job = co_await Try(h.engine.submit(std::move(request)));
    ids.push_back(job->id());
  }
  EXPECT_GT(h.engine.stats().in_store, 20u);
  co_return co_await all_end(h, ids);
}
TEST(Backlog, TheWindowIsBoundedInBytesToo) {
  EngineLimits limits = small_window();
  limits.window = 1000;
  limits.bytes = 20000;
  for_each_seed(&big_payloads, limits, &durable);
}

Co<absl::Status> refused_in_memory(Harness& h) {
  h.store.durable = false;
  JobView blocker = co_await Try(block(h, 10));
  std::vector<std::string> ids = co_await Try(submit_some(h, 19));
  SubmitRequest request = work(19);
  absl::StatusOr<JobView> more = co_await h.engine.submit(std::move(request));
  EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(h.engine.stats().in_store, 0u);
  co_return co_await all_end(h, ids);
}
TEST(Backlog, AQueueThatTheStoreDoesNotKeepStaysInMemoryAndIsRefusedAtItsLimit) {
  EngineLimits limits = small_window();
  limits.jobs = 20;
  for_each_seed(&refused_in_memory, limits);
}

// ---- one life after the other -------------------------------------------------------------------

class StoppedClock final : public Clock {
 public:
  absl::Time now() const override { return absl::FromUnixSeconds(1'700'000'000); }
};

Co<absl::Status> leaves_in_a_read(Harness& h) {
  h.store.durable = true;
  JobView blocker = co_await Try(block(h, 10));
  std::vector<std::string> ids = co_await Try(submit_some(h, 40));
  h.store.read_latency = absl::Milliseconds(30);
  const int reads = h.store.reads;
  while (h.store.reads == reads) co_await sleep(absl::Milliseconds(1));
  SubmitRequest request = work(40);  // meanwhile, so it is on neither side
  JobView held = co_await Try(h.engine.submit(std::move(request)));
  co_return absl::OkStatus();
}

Co<absl::Status> goes_on(Harness& h) {
  durable(h);
  co_await h.engine.serving();
  EXPECT_GT(h.engine.stats().recovered, 30u);
  EXPECT_EQ(h.engine.stats().in_store, h.engine.stats().recovered)
      << "it serves before it has read anything";
  ListQuery query;
  query.page_size = 1000;
  JobPage page = co_await Try(h.engine.list(query));
  EXPECT_EQ(page.jobs.size(), 42u);
  // It is among the last of them.
  SubmitRequest request = work(40);
  JobView last = co_await Try(h.engine.submit(std::move(request)));
  while (h.engine.stats().jobs[static_cast<size_t>(kPending)] > 0) {
    co_await sleep(absl::Milliseconds(10));
  }
  JobView job = co_await Try(h.engine.wait(last->id(), absl::InfiniteFuture()));
  EXPECT_EQ(job->state, kSucceeded);
  co_return absl::OkStatus();
}

TEST(Backlog, AnEngineThatStopsWhileItReadsLosesNothing) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    StoppedClock clock;
    MemoryStore kept(clock, Retention());
    for (const auto scenario : {&leaves_in_a_read, &goes_on}) {
      Harness h(seed, small_window(), {}, &kept);
      h.play(scenario);
      EXPECT_EQ(kept.stats().live + kept.stats().finished, 42u);
    }
    EXPECT_EQ(kept.stats().live, 0u);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace fermata
