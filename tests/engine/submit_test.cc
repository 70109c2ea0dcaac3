#include <set>
#include <string>

#include "services/engine/errors.h"
#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

std::string reason_of(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = detail_of(status);
  return detail.has_value() ? detail->reason : status.ToString();
}

// One line per refusal: the reason and the field, or "accepted".
std::string verdict(const absl::StatusOr<JobView>& job) {
  if (job.ok()) return "accepted";
  const std::optional<ErrorDetail> detail = detail_of(job.status());
  if (!detail.has_value()) return job.status().ToString();
  std::string text = detail->reason;
  for (const FieldViolation& field : detail->fields) text += " " + field.field;
  return text;
}

Co<absl::Status> pending_first(Harness& h) {
  JobView job = co_await Try(h.submit("test/echo", "{}"));
  EXPECT_EQ(job->spec->stage, "test/echo");
  EXPECT_EQ(job->spec->pipeline, "");
  EXPECT_EQ(job->spec->queue, "default");
  JobView done = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(done->state, JobState::kSucceeded);
  EXPECT_EQ(done->spec->create_time, job->spec->create_time);
  EXPECT_GE(done->sequence, job->sequence);  // it may be over before submit is told
  co_return absl::OkStatus();
}
TEST(Submit, AnswersWithTheStoredJobAndThenItRuns) { for_each_seed(&pending_first); }

Co<absl::Status> bad_fields(Harness& h) {
  struct Case {
    void (*spoil)(SubmitRequest&);
    const char* expected;
  };
  const Case cases[] = {
      {[](SubmitRequest& r) {}, "accepted"},
      {[](SubmitRequest& r) { r.pipeline = "x"; }, "INVALID_REQUEST job.work"},
      {[](SubmitRequest& r) { r.stage = ""; }, "INVALID_REQUEST job.work"},
      {[](SubmitRequest& r) { r.stage = "nothing"; }, "INVALID_REQUEST job.stage"},
      {[](SubmitRequest& r) { r.stage = "test/ech"; }, "STAGE_NOT_FOUND"},
      {[](SubmitRequest& r) { r.stage = "", r.pipeline = "nope"; }, "PIPELINE_NOT_FOUND"},
      {[](SubmitRequest& r) { r.stage = "", r.pipeline_yaml = "stages: ["; },
       "INVALID_REQUEST job.pipeline_yaml"},
      {[](SubmitRequest& r) { r.input = "{"; }, "INVALID_REQUEST job.input"},
      {[](SubmitRequest& r) { r.input = "{} {}"; }, "INVALID_REQUEST job.input"},
      {[](SubmitRequest& r) { r.input = "\"\xff\""; }, "INVALID_REQUEST job.input"},
      {[](SubmitRequest& r) { r.input = std::string(201, '[') + std::string(201, ']'); },
       "INVALID_REQUEST job.input"},
      {[](SubmitRequest& r) { r.input = std::string(200, '[') + std::string(200, ']'); },
       "accepted"},
      {[](SubmitRequest& r) { r.queue = "A"; }, "INVALID_REQUEST job.queue"},
      {[](SubmitRequest& r) { r.queue = std::string(64, 'a'); }, "INVALID_REQUEST job.queue"},
      {[](SubmitRequest& r) { r.priority = 1001; }, "INVALID_REQUEST job.priority"},
      {[](SubmitRequest& r) { r.priority = -1000; }, "accepted"},
      {[](SubmitRequest& r) { r.labels["1a"] = ""; }, "INVALID_REQUEST job.labels"},
      {[](SubmitRequest& r) { r.labels["a"] = std::string(256, 'x'); },
       "INVALID_REQUEST job.labels.a"},
      {[](SubmitRequest& r) { r.labels["a"] = "\xff"; }, "INVALID_REQUEST job.labels.a"},
      {[](SubmitRequest& r) {
         for (int i = 0; i < 65; ++i) r.labels["l" + std::to_string(i)] = "";
       },
       "INVALID_REQUEST job.labels"},
      {[](SubmitRequest& r) { r.timeout = absl::ZeroDuration(); }, "INVALID_REQUEST job.timeout"},
      {[](SubmitRequest& r) { r.request_id = std::string(129, 'x'); },
       "INVALID_REQUEST request_id"},
      {[](SubmitRequest& r) { r.request_id = "\xff"; }, "INVALID_REQUEST request_id"},
  };
  for (const Case& test : cases) {
    SubmitRequest request = Harness::request("test/echo", "{}");
    test.spoil(request);
    absl::StatusOr<JobView> job = co_await h.engine.submit(std::move(request));
    EXPECT_EQ(verdict(job), test.expected) << job.status();
  }
  EXPECT_GT(h.engine.stats().refused.at("INVALID_REQUEST"), 10u);
  co_return absl::OkStatus();
}
TEST(Submit, NamesTheFieldThatIsWrong) { Harness(0).play(&bad_fields); }

Co<absl::Status> too_large(Harness& h) {
  absl::StatusOr<JobView> fits = co_await h.submit("test/echo", std::string(98, ' ') + "{}");
  EXPECT_EQ(verdict(fits), "accepted");
  absl::StatusOr<JobView> refused = co_await h.submit("test/echo", std::string(99, ' ') + "{}");
  EXPECT_EQ(verdict(refused), "PAYLOAD_TOO_LARGE job.input");
  SubmitRequest request;
  request.pipeline_yaml = std::string(51, '#');
  refused = co_await h.engine.submit(std::move(request));
  EXPECT_EQ(verdict(refused), "PAYLOAD_TOO_LARGE job.pipeline_yaml");
  co_return absl::OkStatus();
}
TEST(Submit, RefusesAPayloadOneByteAboveItsLimit) {
  EngineLimits limits;
  limits.payload = 100;
  limits.pipeline_yaml = 50;
  Harness(0, limits).play(&too_large);
}

Co<absl::Status> schema(Harness& h) {
  h.add(R"(
pipeline: strict
input: { type: object, required: [n], properties: { n: { type: integer }, unit: { default: ms } } }
stages: { one: { use: test/echo, with: { n: "${/input/n}", unit: "${/input/unit}" } } }
)");
  absl::StatusOr<JobView> refused = co_await h.submit("strict", R"({"n":"x"})");
  EXPECT_EQ(verdict(refused), "INVALID_REQUEST job.input");
  EXPECT_NE(std::string(refused.status().message()).find("/n"), std::string::npos);
  JobView job = co_await Try(h.run("strict", R"({"n":3})"));
  EXPECT_EQ(*job->result, R"({"n":3,"unit":"ms"})");
  EXPECT_EQ(job->spec->input, R"({"n":3})");
  co_return absl::OkStatus();
}
TEST(Submit, ChecksTheInputAgainstThePipelinesSchemaAndFillsInDefaults) { for_each_seed(&schema); }

Co<absl::Status> jobs_limit(Harness& h) {
  JobView first = co_await Try(h.submit("test/stuck", "{}"));
  JobView second = co_await Try(h.submit("test/stuck", "{}"));
  absl::StatusOr<JobView> third = co_await h.submit("test/echo", "{}");
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(reason_of(third.status()), "TOO_MANY_JOBS");
  EXPECT_TRUE(detail_of(third.status())->retry_delay.has_value());
  EXPECT_EQ(h.engine.stats().refused.at("TOO_MANY_JOBS"), 1u);
  co_await Try(h.engine.cancel(first->id(), CancelCause::kRequested));
  co_await Try(h.run("test/echo", "{}"));
  co_return absl::OkStatus();
}
TEST(Submit, AtTheLimitOfJobsItIsRefusedWithADelayUntilOneHasEnded) {
  EngineLimits limits;
  limits.jobs = 2;
  for_each_seed(&jobs_limit, limits);
}

Co<absl::Status> bytes_limit(Harness& h) {
  const std::string big = "\"" + std::string(3000, 'x') + "\"";
  JobView first = co_await Try(h.submit("test/stuck", big));
  absl::StatusOr<JobView> second = co_await h.submit("test/stuck", big);
  EXPECT_EQ(reason_of(second.status()), "TOO_MANY_BYTES");
  EXPECT_LE(h.engine.stats().bytes, 5000u);
  co_await Try(h.engine.cancel(first->id(), CancelCause::kRequested));
  EXPECT_EQ(h.engine.stats().bytes, 0u);
  co_await Try(h.submit("test/none", big));
  co_return absl::OkStatus();
}
TEST(Submit, AtTheLimitOfBytesItIsRefused) {
  EngineLimits limits;
  limits.bytes = 5000;
  for_each_seed(&bytes_limit, limits);
}

Co<absl::Status> large_input(Harness& h) {
  const std::string large = "\"" + std::string(size_t{65} << 20, 'x') + "\"";
  JobView job = co_await Try(h.run("test/none", large));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(Submit, AnInputMayBeAsLargeAsTheLimitSays) {
  EngineLimits limits;
  limits.payload = size_t{66} << 20;
  Harness(0, limits).play(&large_input);
}

Co<absl::Status> stage_goes(Harness& h) {
  JobView before = co_await Try(h.run("test/echo", "{}"));
  h.stages.remove("test/echo");
  absl::StatusOr<JobView> after = co_await h.submit("test/echo", "{}");
  EXPECT_EQ(reason_of(after.status()), "STAGE_NOT_FOUND");
  co_return absl::OkStatus();
}
TEST(Submit, AStageThatIsGoneIsRefusedThoughItWasKnown) { for_each_seed(&stage_goes); }

SubmitRequest inline_pipeline(int number, int patterns) {
  SubmitRequest request;
  request.pipeline_yaml =
      "pipeline: p" + std::to_string(number) + "\ninput:\n  properties:\n    a: {}\n";
  for (int i = 0; i < patterns; ++i) {
    request.pipeline_yaml += "    p" + std::to_string(i) + ": { pattern: '[a-z]+[0-9]' }\n";
  }
  request.pipeline_yaml += "stages: { a: { use: test/stuck } }\n";
  return request;
}

Co<absl::Status> inline_bytes(Harness& h) {
  for (int i = 0; i < 3; ++i) {
    JobView job = co_await Try(h.engine.submit(inline_pipeline(i, 16)));
    // Patterns grow to 64 KiB each while they are used.
    EXPECT_GT(h.engine.stats().bytes, static_cast<size_t>(i + 1) << 20);
    EXPECT_LT(h.engine.stats().bytes, static_cast<size_t>(i + 1) * 3 << 19);
  }
  absl::StatusOr<JobView> full = co_await h.engine.submit(inline_pipeline(9, 16));
  EXPECT_EQ(reason_of(full.status()), "TOO_MANY_BYTES");
  absl::StatusOr<JobView> wild = co_await h.engine.submit(inline_pipeline(9, 17));
  EXPECT_EQ(verdict(wild), "INVALID_REQUEST job.pipeline_yaml");
  JobView small = co_await Try(h.engine.submit(inline_pipeline(9, 0)));
  co_return absl::OkStatus();
}
TEST(Submit, WhatAnInlinePipelineHoldsIsCounted) {
  EngineLimits limits;
  limits.bytes = size_t{4} << 20;
  for_each_seed(&inline_bytes, limits);
}

SubmitRequest with_request_id(std::string_view id, std::string_view input) {
  SubmitRequest request = Harness::request("test/work", input);
  request.request_id = id;
  return request;
}

Co<absl::Status> idempotent(Harness& h) {
  SubmitRequest request = with_request_id("r1", R"({"ms":50,"value":1})");
  JobView first = co_await Try(h.engine.submit(request));
  JobView again = co_await Try(h.engine.submit(request));
  EXPECT_EQ(again->id(), first->id());
  JobView done = co_await Try(h.engine.wait(first->id(), absl::InfiniteFuture()));
  again = co_await Try(h.engine.submit(request));
  EXPECT_EQ(again->id(), first->id());
  EXPECT_EQ(again->state, JobState::kSucceeded);
  again = co_await Try(h.engine.submit_and_wait(request, false));
  EXPECT_EQ(again->id(), first->id());
  EXPECT_EQ(h.world.started, 1);
  SubmitRequest different = with_request_id("r1", R"({"ms":51})");
  absl::StatusOr<JobView> refused = co_await h.engine.submit(std::move(different));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(reason_of(refused.status()), "REQUEST_ID_REUSED");
  co_await Try(h.engine.remove(first->id()));
  again = co_await Try(h.engine.submit(request));
  EXPECT_NE(again->id(), first->id());
  co_return absl::OkStatus();
}
TEST(Submit, TheSameRequestIdGivesTheSameJobAsLongAsItIsKept) { for_each_seed(&idempotent); }

Co<absl::Status> submit_into(Harness* h, std::string id, std::vector<std::string>* ids) {
  SubmitRequest request = with_request_id(id, R"({"ms":1})");
  JobView job = co_await Try(h->engine.submit(std::move(request)));
  ids->push_back(job->id());
  co_return absl::OkStatus();
}
Co<absl::Status> submit_many(TaskGroup& group, Harness* h, std::vector<std::string>* ids) {
  for (int i = 0; i < 8; ++i) group.spawn(&submit_into, h, std::string("same"), ids);
  co_return absl::OkStatus();
}
Co<absl::Status> concurrent_requests(Harness& h) {
  h.store.latency = absl::Milliseconds(3);
  h.store.read_latency = absl::Milliseconds(h.seed % 2);
  std::vector<std::string> ids;
  absl::Status all = co_await with_group(&submit_many, &h, &ids);
  EXPECT_TRUE(all.ok()) << all;
  EXPECT_EQ(ids.size(), 8u);
  for (const std::string& id : ids) EXPECT_EQ(id, ids.at(0));
  EXPECT_EQ(h.engine.stats().submitted, 1u);
  co_return absl::OkStatus();
}
TEST(Submit, EightClientsWithOneRequestIdAtOnceMakeOneJob) { for_each_seed(&concurrent_requests); }

Co<absl::Status> concurrent_failure(Harness& h) {
  h.store.latency = absl::Milliseconds(3);
  std::vector<std::string> ids;
  for (bool* const failing : {&h.store.failing, &h.store.failing_finds}) {
    *failing = true;
    absl::Status all = co_await with_group(&submit_many, &h, &ids);
    EXPECT_EQ(reason_of(all), "STORE_UNAVAILABLE") << all;
    EXPECT_TRUE(ids.empty());
    *failing = false;
  }
  co_await Try(submit_into(&h, "same", &ids));
  EXPECT_EQ(ids.size(), 1u);
  co_return absl::OkStatus();
}
TEST(Submit, ARequestIdWhoseJobWasRefusedIsFreeAgain) { for_each_seed(&concurrent_failure); }

Co<absl::Status> scopes(Harness& h) {
  struct Case {
    const char* scope;
    std::string id;
  };
  std::set<std::string> ids;
  const std::string long_id(128, 'x');
  const Case cases[] = {{"", "x"},       {"team", "a:x"},     {"team:a", "x"},
                        {"team", "x"},   {"team-a", long_id}, {"", "4:team:z"},
                        {"team", "4:y"}, {"4:team", "y"},     {"", long_id}};
  for (const Case& c : cases) {
    SubmitRequest request = with_request_id(c.id, "{}");
    request.request_scope = c.scope;
    JobView job = co_await Try(h.engine.submit(request));
    JobView again = co_await Try(h.engine.submit(request));
    EXPECT_EQ(again->id(), job->id());
    ids.insert(job->id());
    SubmitRequest other = with_request_id(c.id, R"({"ms":1})");
    other.request_scope = c.scope;
    absl::StatusOr<JobView> refused = co_await h.engine.submit(other);
    EXPECT_EQ(detail_of(refused.status())->metadata["request_id"], c.id);  // as it was sent
  }
  EXPECT_EQ(ids.size(), std::size(cases));
  co_return absl::OkStatus();
}
TEST(Submit, ARequestIdIsItsScopesOwn) { for_each_seed(&scopes); }

Co<absl::Status> asker_leaves(TaskGroup& group, Harness* h, std::vector<std::string>* ids) {
  SubmitRequest request = with_request_id("same", R"({"ms":1})");
  Task<JobView> first = group.spawn(&Engine::submit, &h->engine, request);
  co_await sleep(absl::Milliseconds(5));
  group.spawn(&submit_into, h, std::string("same"), ids);
  co_await sleep(absl::Milliseconds(1));
  first.cancel();
  co_return absl::OkStatus();
}
Co<absl::Status> next_one_asks(Harness& h) {
  h.store.read_latency = absl::Milliseconds(10);
  std::vector<std::string> ids;
  co_await Try(with_group(&asker_leaves, &h, &ids));
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(h.engine.stats().submitted, 1u);
  co_return absl::OkStatus();
}
TEST(Submit, WhoAsksForARequestIdAndLeavesLetsTheNextOneAsk) { for_each_seed(&next_one_asks); }

Co<absl::Status> known_whatever(Harness& h) {
  SubmitRequest request = with_request_id("r1", R"({"ms":50,"value":1})");
  JobView first = co_await Try(h.engine.submit(request));
  absl::StatusOr<JobView> other = co_await h.submit("test/echo", "{}");
  EXPECT_EQ(reason_of(other.status()), "TOO_MANY_JOBS");
  JobView again = co_await Try(h.engine.submit(request));
  EXPECT_EQ(again->id(), first->id());
  again = co_await Try(h.engine.submit_and_wait(request, false));
  EXPECT_EQ(again->id(), first->id());
  JobView stuck = co_await Try(h.submit("test/stuck", "{}"));
  h.engine.begin_drain();
  again = co_await Try(h.engine.submit(request));  // full, draining, and only the store knows it
  EXPECT_EQ(again->id(), first->id());
  EXPECT_EQ(again->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(Submit, ARepeatIsAnsweredAlsoWhenNothingNewIsTaken) {
  EngineLimits limits;
  limits.jobs = 1;
  for_each_seed(&known_whatever, limits);
}

Co<absl::Status> store_fails(Harness& h) {
  h.store.failing = true;
  absl::StatusOr<JobView> job = co_await h.submit("test/echo", "{}");
  EXPECT_EQ(job.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reason_of(job.status()), "STORE_UNAVAILABLE");
  EXPECT_NE(std::string(job.status().message()).find("the disk is full"), std::string::npos);
  EXPECT_TRUE(detail_of(job.status())->retry_delay.has_value());
  EXPECT_FALSE(h.engine.stats().store_healthy);
  EXPECT_EQ(h.engine.stats().bytes, 0u);
  h.store.failing = false;
  JobView later = co_await Try(h.run("test/echo", "{}"));
  EXPECT_EQ(later->state, JobState::kSucceeded);
  EXPECT_TRUE(h.engine.stats().store_healthy);
  co_return absl::OkStatus();
}
TEST(Submit, WhatTheStoreRefusesIsRefusedAndNeverRuns) { for_each_seed(&store_fails); }

Co<absl::Status> client_leaves(Harness& h) {
  h.store.latency = absl::Seconds(1);
  absl::StatusOr<JobView> gone =
      co_await timeout(absl::Milliseconds(500), h.submit("test/echo", "{}"));
  EXPECT_EQ(gone.status().code(), absl::StatusCode::kDeadlineExceeded);
  co_await sleep(absl::Seconds(5));
  JobPage page = co_await Try(h.engine.list(ListQuery()));
  EXPECT_EQ(page.jobs.size(), 1u);
  EXPECT_EQ(page.jobs.at(0)->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(Submit, AClientThatLeavesWhileTheStoreIsAskedLeavesAnAcceptedJob) {
  for_each_seed(&client_leaves);
}

Co<absl::Status> list_soon(Harness* h) {
  co_await sleep(absl::Milliseconds(100));
  JobPage page = co_await Try(h->engine.list(ListQuery()));
  EXPECT_EQ(page.jobs.size(), 0u);
  co_return absl::OkStatus();
}
Co<absl::Status> look_while_storing(TaskGroup& group, Harness* h) {
  group.spawn(&list_soon, h);
  co_await Try(h->submit("test/echo", "{}"));
  co_return absl::OkStatus();
}
Co<absl::Status> unseen(Harness& h) {
  h.store.latency = absl::Seconds(1);
  co_return co_await with_group(&look_while_storing, &h);
}
TEST(Submit, AJobIsSeenByNobodyBeforeItIsStored) { for_each_seed(&unseen); }

}  // namespace
}  // namespace fermata
