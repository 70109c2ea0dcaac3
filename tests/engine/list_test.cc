#include <random>
#include <set>
#include <string>

#include "services/engine/errors.h"
#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

std::string ids_of(const JobPage& page) {
  std::string text;
  for (const JobView& job : page.jobs) text += job->id() + "\n";
  return text;
}

Co<absl::Status> mixes(Harness& h) {
  std::vector<std::string> newest_first;
  for (int i = 0; i < 9; ++i) {
    const char* stage = i % 2 == 0 ? "test/stuck" : "test/none";
    JobView job = co_await Try(h.submit(stage, "{}"));
    newest_first.insert(newest_first.begin(), job->id());
  }
  co_await sleep(absl::Milliseconds(1));
  std::string expected, got;
  for (const std::string& id : newest_first) expected += id + "\n";
  ListQuery query;
  query.page_size = 2;
  int pages = 0;
  for (;;) {
    JobPage page = co_await Try(h.engine.list(query));
    EXPECT_LE(page.jobs.size(), 2u);
    got += ids_of(page);
    ++pages;
    if (page.next_page_token.empty()) break;
    query.page_token = page.next_page_token;
  }
  EXPECT_EQ(got, expected);
  EXPECT_LE(pages, 6);
  ListQuery running;
  running.filter.states = {JobState::kRunning};
  JobPage page = co_await Try(h.engine.list(running));
  EXPECT_EQ(page.jobs.size(), 5u);
  running.filter.stage = "test/none";
  page = co_await Try(h.engine.list(running));
  EXPECT_EQ(page.jobs.size(), 0u);
  co_return absl::OkStatus();
}
TEST(List, LiveAndFinishedJobsAreOneListNewestFirst) { for_each_seed(&mixes); }

Co<absl::Status> ends_meanwhile(Harness& h) {
  JobView job = co_await Try(h.submit("test/work", R"({"ms":150})"));
  h.store.read_latency = absl::Milliseconds(100);  // read at 100 ms, answered at 200
  JobPage page = co_await Try(h.engine.list(ListQuery()));
  EXPECT_EQ(ids_of(page), job->id() + "\n");
  h.store.read_latency = absl::Milliseconds(1);
  page = co_await Try(h.engine.list(ListQuery()));
  EXPECT_EQ(ids_of(page), job->id() + "\n");
  EXPECT_EQ(page.jobs.at(0)->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(List, AJobThatEndsMeanwhileIsListed) { for_each_seed(&ends_meanwhile); }

Co<absl::Status> bad_token(Harness& h) {
  ListQuery query;
  query.page_token = "x";
  absl::StatusOr<JobPage> page = co_await h.engine.list(query);
  EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(detail_of(page.status())->fields.at(0).field, "page_token");
  co_return absl::OkStatus();
}
TEST(List, RefusesATokenThatIsNone) { Harness(0).play(&bad_token); }

Co<absl::Status> removes(Harness& h) {
  JobView live = co_await Try(h.submit("test/stuck", "{}"));
  absl::Status removed = co_await h.engine.remove(live->id());
  EXPECT_EQ(removed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(detail_of(removed)->reason, "JOB_NOT_FINISHED");
  co_await Try(h.engine.cancel(live->id(), CancelCause::kRequested));
  co_await Try(h.engine.remove(live->id()));
  removed = co_await h.engine.remove(live->id());
  EXPECT_EQ(detail_of(removed)->reason, "JOB_NOT_FOUND");
  absl::StatusOr<JobView> gone = co_await h.engine.get(live->id());
  EXPECT_EQ(detail_of(gone.status())->reason, "JOB_NOT_FOUND");
  co_return absl::OkStatus();
}
TEST(Remove, ForgetsAFinishedJobAndOnlyThat) { for_each_seed(&removes); }

// Any two sides, cut into pages at any place, merge into what one sorted list would give.
TEST(MergePages, GivesEveryJobOnceWhateverTheSidesKnow) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    std::mt19937_64 random(seed);
    std::set<std::string, std::greater<>> live_ids, stored_ids, all;
    for (int n = 10; n < 40; ++n) {
      const std::string id = std::to_string(n);
      if (random() % 3 == 0) live_ids.insert(id);
      if (random() % 3 == 0) stored_ids.insert(id);
      if (live_ids.count(id) + stored_ids.count(id) > 0) all.insert(id);
    }
    const size_t size = random() % 5 + 1;
    const auto page_of = [&](const std::set<std::string, std::greater<>>& ids,
                             const std::string& before) {
      JobPage page;
      // A side may stop early for reasons of its own: a search bound.
      const size_t looked_max = random() % 4 == 0 ? random() % 3 + 1 : 1000;
      size_t looked = 0;
      for (const std::string& id : ids) {
        if (!before.empty() && id >= before) continue;
        auto spec = std::make_shared<JobSpec>();
        spec->id = id;
        auto record = std::make_shared<JobRecord>();
        record->spec = spec;
        page.jobs.push_back(record);
        if (page.jobs.size() == size || ++looked == looked_max) {
          if (id != *ids.rbegin()) page.next_page_token = id;
          break;
        }
      }
      return page;
    };
    std::string token, got, expected;
    for (int pages = 0; pages < 100; ++pages) {
      JobPage page = merge_pages(page_of(live_ids, token), page_of(stored_ids, token), size);
      ASSERT_LE(page.jobs.size(), size);
      for (const JobView& job : page.jobs) got += job->id() + " ";
      token = page.next_page_token;
      if (token.empty()) break;
    }
    for (const std::string& id : all) expected += id + " ";
    ASSERT_EQ(got, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace fermata
