#include <string>

#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

constexpr std::string_view kPipelines[] = {
    R"(
pipeline: all
stages:
  each: { use: test/work, each: "${/input}", with: "${/item}", parallel: 3, retry: { attempts: 1 } }
)",
    R"(
pipeline: settled
stages:
  each: { use: test/work, each: "${/input}", with: "${/item}", parallel: 3, gather: settled,
          retry: { attempts: 2, initial: 1ms } }
)",
    R"(
pipeline: first
stages:
  each: { use: test/work, each: "${/input}", with: "${/item}", parallel: 3, gather: first,
          retry: { attempts: 1 } }
)",
    R"(
pipeline: quorum
stages:
  each: { use: test/work, each: "${/input}", with: "${/item}", parallel: 4, gather: { quorum: 2 },
          retry: { attempts: 1 } }
)",
    R"(
pipeline: picks
stages:
  each: { use: test/work, each: "${/input}", with: "${/item}", gather: settled,
          retry: { attempts: 1 } }
  values: { use: test/echo,
            with: { codes: "${/stages/each/*/error/code}", all: "${/stages/each}" } }
)",
};

void add_all(Harness& h) {
  for (const std::string_view yaml : kPipelines) h.add(yaml);
}

Co<absl::Status> all(Harness& h) {
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.run("all",
                                   R"([{"ms":30,"value":1},{"ms":10,"value":"b"},{"ms":5},
                                       {"ms":10,"value":[4]},{"ms":10,"value":5}])"));
  EXPECT_EQ(*job->result, R"([1,"b",null,[4],5])");
  EXPECT_EQ(h.world.running_max, 3);
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(30));
  EXPECT_EQ(job->stages.at(0).total, 5);
  EXPECT_EQ(job->stages.at(0).done, 5);
  JobView empty = co_await Try(h.run("all", "[]"));
  EXPECT_EQ(*empty->result, "[]");
  co_return absl::OkStatus();
}
TEST(GatherAll, GivesOutputsInItemOrderWithAtMostParallelCallsAtOnce) {
  for_each_seed(&all, {}, &add_all);
}

Co<absl::Status> all_fails(Harness& h) {
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.run("all", R"([{"ms":1000},{"ms":10,"fail":5},{"ms":1000},{}])"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->error->message, "item 1: told to fail");
  EXPECT_EQ(job->error->code, absl::StatusCode::kNotFound);
  EXPECT_EQ(job->error->stage, "each");
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(10));
  EXPECT_EQ(h.world.started, 3);  // the fourth item was not begun
  EXPECT_EQ(h.world.running, 0);
  co_return absl::OkStatus();
}
TEST(GatherAll, TheFirstFailureCancelsTheOtherCalls) { for_each_seed(&all_fails, {}, &add_all); }

Co<absl::Status> settled(Harness& h) {
  JobView job =
      co_await Try(h.run("settled", R"([{"value":1},{"fail":14,"key":"a"},{"fail":5,"key":"b"},
                     {"fail":14,"times":1,"key":"c","value":"late"}])"));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  EXPECT_EQ(*job->result,
            R"([1,{"error":{"code":"UNAVAILABLE","message":"told to fail","attempts":2}},)"
            R"({"error":{"code":"NOT_FOUND","message":"told to fail","attempts":1}},"late"])");
  EXPECT_EQ(job->stages.at(0).done, 4);
  EXPECT_EQ(job->stages.at(0).failed, 2);
  EXPECT_EQ(job->stages.at(0).retries, 2);
  co_return absl::OkStatus();
}
TEST(GatherSettled, KeepsFailuresInTheirPlace) { for_each_seed(&settled, {}, &add_all); }

Co<absl::Status> picks(Harness& h) {
  JobView job = co_await Try(h.run("picks", R"([{"value":{"x":1}},{"fail":5}])"));
  EXPECT_EQ(*job->result,
            R"({"codes":[null,"NOT_FOUND"],"all":[{"x":1},)"
            R"({"error":{"code":"NOT_FOUND","message":"told to fail","attempts":1}}]})");
  co_return absl::OkStatus();
}
TEST(GatherSettled, LaterStagesLookIntoOutputsAndErrorsAlike) {
  for_each_seed(&picks, {}, &add_all);
}

Co<absl::Status> first(Harness& h) {
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.run(
      "first", R"([{"ms":1,"fail":5},{"ms":900,"value":1},{"ms":50,"value":"won"},{"ms":900}])"));
  EXPECT_EQ(*job->result, R"("won")");
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(50));
  EXPECT_EQ(h.world.running, 0);  // the losers were stopped before the stage ended
  co_return absl::OkStatus();
}
TEST(GatherFirst, TheFirstSuccessWinsAFailureDoesNot) { for_each_seed(&first, {}, &add_all); }

Co<absl::Status> first_fails(Harness& h) {
  JobView job = co_await Try(h.run("first", R"([{"ms":2,"fail":5},{"ms":1,"fail":7}])"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->error->message,
            "2 of 2 items failed, and gather needs 1 to succeed; the last failure was "
            "item 0: told to fail");
  job = co_await Try(h.run("first", "[]"));
  EXPECT_EQ(job->state, JobState::kFailed);
  co_return absl::OkStatus();
}
TEST(GatherFirst, FailsWhenEveryItemFailedOrThereIsNone) {
  for_each_seed(&first_fails, {}, &add_all);
}

Co<absl::Status> quorum(Harness& h) {
  JobView job = co_await Try(h.run(
      "quorum",
      R"([{"ms":30,"value":"slow"},{"ms":20,"value":"b"},{"ms":1,"fail":5},{"ms":10,"value":"d"}])"));
  EXPECT_EQ(*job->result, R"(["b","d"])");  // in item order, not in that of arrival
  job = co_await Try(h.run("quorum", R"([{"ms":5,"value":1},{"fail":5},{"ms":1,"fail":5}])"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(h.world.running, 0);
  job = co_await Try(h.run("quorum", R"([{}])"));
  EXPECT_EQ(job->state, JobState::kFailed);
  co_return absl::OkStatus();
}
TEST(GatherQuorum, TakesTheFirstNSuccessesAndFailsOnceTheyCannotCome) {
  for_each_seed(&quorum, {}, &add_all);
}

Co<absl::Status> fan_out_limit(Harness& h) {
  JobView job = co_await Try(h.run("all", "[{},{},{}]"));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  job = co_await Try(h.run("all", "[{},{},{},{}]"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "FAN_OUT_TOO_LARGE");
  EXPECT_EQ(h.world.started, 3);
  co_return absl::OkStatus();
}
TEST(GatherAll, OneItemAboveTheFanOutLimitFailsTheJobBeforeAnythingRuns) {
  EngineLimits limits;
  limits.fan_out = 3;
  for_each_seed(&fan_out_limit, limits, &add_all);
}

// Each output is small enough, and what they are together is not: the text has two brackets and a
// comma between two.
Co<absl::Status> gathered_limit(Harness& h) {
  h.add(R"(
pipeline: wide
stages:
  each: { use: test/work, each: "${/input}", with: { value: "${/item}" } }
  next: { use: test/echo, with: { got: "${/stages/each/0}" } }
)");
  JobView fits = co_await Try(h.run("wide", "[10,10,10,10,10,10]"));  // 2 + 6 * 2 + 5
  EXPECT_EQ(fits->state, JobState::kSucceeded);
  JobView job = co_await Try(h.run("wide", "[10,10,10,10,10,100]"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "OUTPUT_TOO_LARGE");
  EXPECT_EQ(job->error->stage, "each");
  EXPECT_NE(job->error->message.find("have 20 bytes together, more than the limit of 19"),
            std::string::npos)
      << job->error->message;
  co_return absl::OkStatus();
}
TEST(GatherAll, OutputsThatAreTooLargeTogetherFailTheJob) {
  EngineLimits limits;
  limits.output = 19;
  for_each_seed(&gathered_limit, limits);
}

Co<absl::Status> star(Harness& h) {
  h.add(R"(
pipeline: star
stages:
  each: { use: test/echo, each: "${/input/*/url}", with: { u: "${/item}", i: "${/index}" } }
)");
  JobView job = co_await Try(h.run("star", R"([{"url":"a"},{"url":"b"},{}])"));
  EXPECT_EQ(*job->result, R"([{"u":"a","i":0},{"u":"b","i":1},{"u":null,"i":2}])");
  co_return absl::OkStatus();
}
TEST(GatherAll, FansOutOverAMappedReference) { for_each_seed(&star); }

// 10,000 items: linear work, few events, and the loop stays responsive.
Co<absl::Status> watch_all(Harness* h, std::string id, int* events, int64_t* last_done) {
  Watch watch = co_await Try(h->engine.watch(id, 0));
  for (;;) {
    std::optional<JobEvent> event = co_await watch.next();
    if (!event.has_value()) co_return absl::OkStatus();
    ++*events;
    if (event->kind != JobEventKind::kStage) continue;
    EXPECT_GE(event->stage.done, *last_done);
    *last_done = event->stage.done;
  }
}
Co<absl::Status> submit_and_watch(TaskGroup& group, Harness* h, int* events, int64_t* done) {
  std::string items = "[0";
  for (int i = 1; i < 10000; ++i) items += "," + std::to_string(i);
  JobView job = co_await Try(h->submit("wide", items + "]"));
  group.spawn(&watch_all, h, job->id(), events, done);
  job = co_await Try(h->engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  EXPECT_EQ(job->stages.at(0).done, 10000);
  co_return absl::OkStatus();
}
Co<absl::Status> wide(Harness& h) {
  h.add(R"(
pipeline: wide
stages:
  each: { use: test/echo, each: "${/input}", with: { i: "${/item}" }, parallel: 64 }
)");
  int events = 0;
  int64_t done = 0;
  const uint64_t steps = h.loop.stats().steps;
  co_await Try(with_group(&submit_and_watch, &h, &events, &done));
  EXPECT_EQ(done, 10000);
  EXPECT_LT(events, 400);
  EXPECT_LT(h.loop.stats().steps - steps, 4000u);  // resumptions, not one per call
  co_return absl::OkStatus();
}
TEST(GatherAll, TenThousandItemsCostFewEventsAndFewSteps) { Harness(1).play(&wide); }

}  // namespace
}  // namespace fermata
