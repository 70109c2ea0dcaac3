#include "tests/store/job_store_contract.h"

#include <functional>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace fermata {

Co<absl::Status> play_and_close(StoreScenario scenario, JobStore& store) {
  absl::Status status = co_await scenario(store);
  co_await store.close();
  co_return status;
}

void JobStoreContract::play(StoreScenario scenario, const Retention& retention) {
  SimLoop loop;
  LoopClock clock(loop);
  const std::unique_ptr<JobStore> store = GetParam()(loop, clock, retention);
  const absl::Status status = loop.run(&play_and_close, scenario, std::ref(*store));
  EXPECT_TRUE(status.ok()) << status;
}

namespace {

using enum JobState;

Co<absl::Status> gives_back(JobStore& store) {
  co_await Try(put(store, make_record(1, kPending)));
  JobView got = co_await Try(store.get(id_of(1)));
  EXPECT_EQ(got->id(), id_of(1));
  EXPECT_EQ(got->state, kPending);
  EXPECT_EQ(got->spec->labels.at("n"), "1");
  absl::StatusOr<JobView> missing = co_await store.get(id_of(2));
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, GetGivesWhatWasCommittedAndNotFoundOtherwise) { play(&gives_back); }

Co<absl::Status> newer_stays(JobStore& store) {
  co_await Try(put(store, make_record(1, kPending, 1)));
  co_await Try(put(store, make_record(1, kBackingOff, 5)));
  co_await Try(put(store, make_record(1, kRunning, 4)));
  JobView got = co_await Try(store.get(id_of(1)));
  EXPECT_EQ(got->state, kBackingOff);
  co_await Try(put(store, make_record(1, kSucceeded, 6)));
  co_await Try(put(store, make_record(1, kFailed, 7)));
  got = co_await Try(store.get(id_of(1)));
  EXPECT_EQ(got->state, kSucceeded);
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, TheHigherSequenceStaysAndAFinishedRecordIsNeverReplaced) {
  play(&newer_stays);
}

Co<absl::Status> batches(JobStore& store) {
  std::vector<JobView> batch;
  for (int n = 1; n <= 3; ++n) batch.push_back(make_record(n, kPending, 1));
  batch.push_back(make_record(2, kSucceeded, 2));
  co_await Try(store.commit(std::move(batch)));
  JobView second = co_await Try(store.get(id_of(2)));
  EXPECT_EQ(second->state, kSucceeded);
  JobView third = co_await Try(store.get(id_of(3)));
  EXPECT_EQ(third->state, kPending);
  EXPECT_EQ(store.stats().live, 2u);
  EXPECT_EQ(store.stats().finished, 1u);
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, ABatchIsAppliedInOrder) { play(&batches); }

Co<absl::Status> finds_requests(JobStore& store) {
  std::shared_ptr<JobRecord> record = make_mutable_record(1, kSucceeded);
  auto spec = std::make_shared<JobSpec>(*record->spec);
  spec->request_id = "abc";
  spec->fingerprint = 17;
  record->spec = std::move(spec);
  co_await Try(put(store, std::move(record)));
  JobView found = co_await Try(store.find_request("abc"));
  if (found == nullptr) co_return absl::InternalError("the request was forgotten");
  EXPECT_EQ(found->spec->fingerprint, 17u);
  JobView missing = co_await Try(store.find_request("other"));
  EXPECT_EQ(missing, nullptr);
  co_await Try(store.remove(id_of(1)));
  missing = co_await Try(store.find_request("abc"));
  EXPECT_EQ(missing, nullptr);
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, ARequestIdIsKnownAsLongAsItsJob) { play(&finds_requests); }

Co<absl::Status> removes(JobStore& store) {
  co_await Try(put(store, make_record(1, kRunning)));
  absl::Status live = co_await store.remove(id_of(1));
  EXPECT_EQ(live.code(), absl::StatusCode::kFailedPrecondition);
  co_await Try(put(store, make_record(1, kFailed, 2)));
  co_await Try(store.remove(id_of(1)));
  absl::Status again = co_await store.remove(id_of(1));
  EXPECT_EQ(again.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store.stats().finished, 0u);
  EXPECT_EQ(store.stats().finished_bytes, 0u);
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, OnlyAFinishedJobCanBeRemovedAndOnlyOnce) { play(&removes); }

Co<absl::Status> pages(JobStore& store) {
  for (int n = 1; n <= 7; ++n) co_await Try(put(store, make_record(n, kSucceeded)));
  co_await Try(put(store, make_record(8, kRunning)));
  JobFilter all;
  JobPage page = co_await Try(store.list_finished(all, "", 3));
  EXPECT_EQ(numbers_of(page), "7 6 5 ");
  page = co_await Try(store.list_finished(all, page.next_page_token, 3));
  EXPECT_EQ(numbers_of(page), "4 3 2 ");
  page = co_await Try(store.list_finished(all, page.next_page_token, 3));
  EXPECT_EQ(numbers_of(page), "1 ");
  EXPECT_EQ(page.next_page_token, "");
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, ListsFinishedJobsNewestFirstInPages) { play(&pages); }

Co<absl::Status> filters(JobStore& store) {
  for (int n = 1; n <= 4; ++n) {
    const JobState state = n <= 2 ? kFailed : kSucceeded;
    co_await Try(put(store, make_record(n, state)));
  }
  JobFilter failed_even;
  failed_even.states = {kFailed, kCancelled};
  failed_even.pipeline = "even";
  JobPage page = co_await Try(store.list_finished(failed_even, "", 10));
  EXPECT_EQ(numbers_of(page), "2 ");
  JobFilter labelled;
  labelled.labels["n"] = "3";
  page = co_await Try(store.list_finished(labelled, "", 10));
  EXPECT_EQ(numbers_of(page), "3 ");
  JobFilter other_queue;
  other_queue.queue = "other";
  page = co_await Try(store.list_finished(other_queue, "", 10));
  EXPECT_EQ(numbers_of(page), "");
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, ListsOnlyWhatTheFilterMatches) { play(&filters); }

// n's job, in a queue of its own or with a priority or a deadline.
JobView waiting_job(int n, std::string queue, int32_t priority = 0,
                    absl::Time deadline = absl::InfiniteFuture()) {
  std::shared_ptr<JobRecord> record = make_mutable_record(n, kPending);
  auto spec = std::make_shared<JobSpec>(*record->spec);
  spec->queue = std::move(queue);
  spec->priority = priority;
  spec->deadline = deadline;
  record->spec = std::move(spec);
  return record;
}

constexpr size_t kMuch = size_t{1} << 30;

Co<absl::Status> lanes(JobStore& store) {
  for (int n = 1; n <= 6; ++n) {
    const std::string queue = n % 2 == 0 ? "even" : "odd";
    const int32_t priority = n == 5 ? 7 : -n / 4;
    co_await Try(put(store, waiting_job(n, queue, priority)));
  }
  co_await Try(put(store, make_record(7, kRunning)));
  co_await Try(put(store, make_record(8, kSucceeded)));
  std::vector<StoredLane> found = co_await Try(store.lanes());
  EXPECT_EQ(found.size(), 3u);
  for (const StoredLane& lane : found) EXPECT_EQ(lane.jobs, lane.queue == "default" ? 1u : 3u);
  // By priority, then by age.
  LanePage page = co_await Try(store.lane("odd", std::nullopt, 2, kMuch));
  EXPECT_EQ(numbers_of(page.jobs), "5 1 ");
  EXPECT_TRUE(page.more);
  page = co_await Try(store.lane("odd", LanePlace::behind(*page.jobs.back()->spec), 2, kMuch));
  EXPECT_EQ(numbers_of(page.jobs), "3 ");
  EXPECT_FALSE(page.more);
  page = co_await Try(store.lane("odd", LanePlace::of(*page.jobs.back()->spec), 2, kMuch));
  EXPECT_EQ(numbers_of(page.jobs), "3 ");
  page = co_await Try(store.lane("even", std::nullopt, 3, kMuch));
  EXPECT_EQ(numbers_of(page.jobs), "2 4 6 ");
  EXPECT_FALSE(page.more);
  page = co_await Try(store.lane("other", std::nullopt, 3, kMuch));
  EXPECT_TRUE(page.jobs.empty());
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, GivesWhatWaitsInTheOrderOfItsTurn) { play(&lanes); }

Co<absl::Status> lane_bytes(JobStore& store) {
  for (int n = 1; n <= 5; ++n) {
    co_await Try(put(store, make_record(n, kPending, 1, std::string(10000, ' '))));
  }
  LanePage page = co_await Try(store.lane("default", std::nullopt, 5, 15000));
  EXPECT_EQ(numbers_of(page.jobs), "1 2 ");
  EXPECT_TRUE(page.more);
  page = co_await Try(store.lane("default", std::nullopt, 5, 1));
  EXPECT_EQ(numbers_of(page.jobs), "1 ");
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, APageOfWhatWaitsHasABoundInBytesAndIsNeverEmptyBeforeTheEnd) {
  play(&lane_bytes);
}

Co<absl::Status> deadlines(JobStore& store) {
  const absl::Time begin = now();
  for (const int n : {1, 2, 3, 4, 5}) {
    const absl::Time deadline = begin + absl::Seconds(n == 4 ? 2 : 10 - n);
    co_await Try(put(store, waiting_job(n, "default", 0, deadline)));
  }
  co_await Try(put(store, waiting_job(6, "default")));
  co_await Try(put(store, make_record(5, kSucceeded, 2)));
  DuePage page = co_await Try(store.due(begin + absl::Seconds(8), DuePlace(), 2));
  EXPECT_EQ(numbers_of(page.jobs), "4 3 ");
  EXPECT_TRUE(page.more);
  const JobSpec& last = *page.jobs.back()->spec;
  const DuePlace place{last.deadline, last.id};
  page = co_await Try(store.due(begin + absl::Seconds(8), place, 2));
  EXPECT_EQ(numbers_of(page.jobs), "2 ");
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.next, begin + absl::Seconds(9));
  page = co_await Try(store.due(begin + absl::Seconds(9), DuePlace(), 10));
  EXPECT_EQ(numbers_of(page.jobs), "4 3 2 1 ");
  EXPECT_EQ(page.next, absl::InfiniteFuture());
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, GivesWhatIsDueTheEarliestFirst) { play(&deadlines); }

Co<absl::Status> lists_unfinished(JobStore& store) {
  for (int n = 1; n <= 5; ++n) {
    const JobState state = n == 3 ? kSucceeded : kPending;
    co_await Try(put(store, make_record(n, state)));
  }
  JobPage page = co_await Try(store.list_unfinished(JobFilter(), "", 3));
  EXPECT_EQ(numbers_of(page), "5 4 2 ");
  page = co_await Try(store.list_unfinished(JobFilter(), page.next_page_token, 3));
  EXPECT_EQ(numbers_of(page), "1 ");
  EXPECT_EQ(page.next_page_token, "");
  JobFilter even;
  even.pipeline = "even";
  page = co_await Try(store.list_unfinished(even, "", 10));
  EXPECT_EQ(numbers_of(page), "4 2 ");
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, ListsUnfinishedJobsNewestFirstInPages) { play(&lists_unfinished); }

Co<absl::Status> keeps_two(JobStore& store) {
  co_await Try(put(store, make_record(9, kRunning)));
  // The order of finishing counts, not that of the ids.
  for (const int n : {5, 1, 3}) co_await Try(put(store, make_record(n, kSucceeded)));
  JobPage page = co_await Try(store.list_finished(JobFilter(), "", 10));
  EXPECT_EQ(numbers_of(page), "3 1 ");
  JobView live = co_await Try(store.get(id_of(9)));
  EXPECT_EQ(live->state, kRunning);
  EXPECT_EQ(store.stats().evicted, 1u);
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, RetentionByCountDropsTheOldestToFinishAndNeverALiveJob) {
  Retention retention;
  retention.jobs = 2;
  play(&keeps_two, retention);
}

Co<absl::Status> keeps_bytes(JobStore& store) {
  for (int n = 1; n <= 4; ++n) {
    co_await Try(put(store, make_record(n, kSucceeded, 1, std::string(10000, ' '))));
    EXPECT_LE(store.stats().finished_bytes, 25000u);
  }
  JobPage page = co_await Try(store.list_finished(JobFilter(), "", 10));
  EXPECT_EQ(numbers_of(page), "4 3 ");
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, RetentionByBytesHolds) {
  Retention retention;
  retention.bytes = 25000;
  play(&keeps_bytes, retention);
}

Co<absl::Status> keeps_an_hour(JobStore& store) {
  co_await Try(put(store, make_record(1, kSucceeded)));
  co_await sleep(absl::Minutes(40));
  co_await Try(put(store, make_record(2, kSucceeded)));
  JobView first = co_await Try(store.get(id_of(1)));
  co_await sleep(absl::Minutes(40));
  absl::StatusOr<JobView> gone = co_await store.get(id_of(1));
  EXPECT_EQ(gone.status().code(), absl::StatusCode::kNotFound);
  JobView second = co_await Try(store.get(id_of(2)));
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, RetentionByAgeHoldsEvenWhenNothingIsCommitted) {
  Retention retention;
  retention.age = absl::Hours(1);
  play(&keeps_an_hour, retention);
}

// A seeded walk against a plain model: the set of unfinished and the list of finished jobs.
Co<absl::Status> walks(JobStore& store) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    std::mt19937_64 random(seed);
    std::set<int> live, finished;
    for (int step = 0; step < 200; ++step) {
      const int n = static_cast<int>(seed * 1000 + random() % 50 + 1);
      if (random() % 3 == 0 && finished.count(n) == 0) {
        co_await Try(put(store, make_record(n, kSucceeded, 2)));
        live.erase(n);
        finished.insert(n);
      } else if (random() % 5 == 0) {
        absl::Status removed = co_await store.remove(id_of(n));
        EXPECT_EQ(removed.ok(), finished.erase(n) == 1);
      } else if (finished.count(n) == 0) {
        co_await Try(put(store, make_record(n, kRunning, 1)));
        live.insert(n);
      }
      EXPECT_EQ(store.stats().live, live.size());
      EXPECT_EQ(store.stats().finished, finished.size());
    }
    std::string expected;
    for (auto n = finished.rbegin(); n != finished.rend(); ++n) {
      expected += std::to_string(*n) + " ";
    }
    JobPage page = co_await Try(store.list_finished(JobFilter(), "", 1000));
    EXPECT_EQ(numbers_of(page), expected) << "seed " << seed;
    for (const int n : live) co_await Try(put(store, make_record(n, kCancelled, 3)));
    live.clear();
    page = co_await Try(store.list_finished(JobFilter(), "", 1000));
    for (const JobView& job : page.jobs) co_await Try(store.remove(job->id()));
  }
  co_return absl::OkStatus();
}
TEST_P(JobStoreContract, DoesWhatThePlainModelDoes) { play(&walks); }

}  // namespace
}  // namespace fermata
