// fermata.v1.Jobs over the wire, when all goes well.
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "tests/frontend/test_server.h"

namespace fermata::frontend {
namespace {

v1::Job submit(TestServer& server, const v1::Job& job, const std::string& request_id = "") {
  grpc::ClientContext context;
  v1::SubmitJobRequest request;
  *request.mutable_job() = job;
  request.set_request_id(request_id);
  v1::Job answer;
  const grpc::Status status = server.jobs().Submit(&context, request, &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answer;
}

v1::Job run(TestServer& server, const v1::Job& job) {
  grpc::ClientContext context;
  v1::RunJobRequest request;
  *request.mutable_job() = job;
  v1::Job answer;
  const grpc::Status status = server.jobs().Run(&context, request, &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answer;
}

v1::Job wait(TestServer& server, const std::string& name) {
  grpc::ClientContext context;
  v1::WaitJobRequest request;
  request.set_name(name);
  v1::Job answer;
  const grpc::Status status = server.jobs().Wait(&context, request, &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answer;
}

v1::Job get(TestServer& server, const std::string& name, v1::JobView view) {
  grpc::ClientContext context;
  v1::GetJobRequest request;
  request.set_name(name);
  request.set_view(view);
  v1::Job answer;
  const grpc::Status status = server.jobs().Get(&context, request, &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answer;
}

v1::ListJobsResponse list(TestServer& server, const v1::ListJobsRequest& request) {
  grpc::ClientContext context;
  v1::ListJobsResponse answer;
  const grpc::Status status = server.jobs().List(&context, request, &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answer;
}

TEST(Jobs, SubmitAnswersAtOnceAndWaitWithTheResult) {
  TestServer server;
  const v1::Job submitted = submit(server, stage_job("test/echo", R"({"a":1})"));
  EXPECT_EQ(submitted.name().find("jobs/"), 0u);
  EXPECT_TRUE(submitted.has_create_time());
  EXPECT_EQ(submitted.stage(), "test/echo");
  EXPECT_EQ(submitted.queue(), "default");
  const v1::Job ended = wait(server, submitted.name());
  EXPECT_EQ(ended.state(), v1::Job::SUCCEEDED);
  EXPECT_EQ(ended.result(), R"({"a":1})");
  EXPECT_TRUE(ended.has_end_time());
  EXPECT_FALSE(ended.has_error());
}

TEST(Jobs, RunAnswersWithTheFinishedJob) {
  TestServer server;
  v1::Job job;
  job.set_pipeline("pipelines/pair");
  job.set_input(R"({"a":7})");
  const v1::Job ended = run(server, job);
  EXPECT_EQ(ended.state(), v1::Job::SUCCEEDED);
  EXPECT_EQ(ended.result(), R"({"value":7})");
  EXPECT_EQ(ended.pipeline(), "pair");
  EXPECT_EQ(ended.pipeline_version().size(), 12u);
  ASSERT_EQ(ended.stages_size(), 2);
  EXPECT_EQ(ended.stages(1).name(), "two");
  EXPECT_EQ(ended.stages(1).state(), v1::StageProgress::SUCCEEDED);
  EXPECT_EQ(ended.stages(1).done(), 1);
}

TEST(Jobs, AJobThatFailsIsAnAnswerNotAnError) {
  TestServer server;
  const v1::Job ended = run(server, stage_job("test/fail"));
  EXPECT_EQ(ended.state(), v1::Job::FAILED);
  EXPECT_NE(ended.error().message().find("told to fail"), std::string::npos);
  EXPECT_NE(ended.error().code(), 0);
  EXPECT_EQ(ended.result(), "");
}

TEST(Jobs, AnInlinePipelineRuns) {
  TestServer server;
  v1::Job job;
  job.set_pipeline_yaml(
      "pipeline: mine\nstages:\n  a: {use: test/echo, with: {x: \"${/input}\"}}\n");
  job.set_input("[1,2]");
  const v1::Job ended = run(server, job);
  EXPECT_EQ(ended.state(), v1::Job::SUCCEEDED);
  EXPECT_EQ(ended.pipeline(), "mine");
  EXPECT_EQ(ended.result(), R"({"x":[1,2]})");
}

TEST(Jobs, AViewSaysHowMuchIsSent) {
  TestServer server;
  v1::Job job = stage_job("test/echo", R"({"a":1})");
  (*job.mutable_labels())["tenant"] = "acme";
  const std::string name = run(server, job).name();
  const v1::Job basic = get(server, name, v1::JOB_VIEW_BASIC);
  EXPECT_EQ(basic.result() + basic.input(), "");
  EXPECT_EQ(basic.stages_size(), 0);
  EXPECT_EQ(basic.labels().at("tenant"), "acme");
  const v1::Job result = get(server, name, v1::JOB_VIEW_UNSPECIFIED);
  EXPECT_EQ(result.result(), R"({"a":1})");
  EXPECT_EQ(result.input(), "");
  EXPECT_EQ(get(server, name, v1::JOB_VIEW_FULL).input(), R"({"a":1})");
}

TEST(Jobs, ALargeResultArrivesWhole) {
  TestServer server;
  const v1::Job ended = run(server, stage_job("test/big", R"({"bytes":3000000})"));
  EXPECT_EQ(ended.result(), "\"" + std::string(3000000, 'x') + "\"");
}

TEST(Jobs, ARequestSentTwiceIsOneJob) {
  TestServer server;
  const v1::Job first = submit(server, stage_job("test/echo"), "request-1");
  EXPECT_EQ(submit(server, stage_job("test/echo"), "request-1").name(), first.name());
  EXPECT_NE(submit(server, stage_job("test/echo"), "request-2").name(), first.name());
}

TEST(Jobs, WaitAnswersWithTheUnfinishedJobWhenItsTimeIsOver) {
  TestServer server;
  const std::string name = submit(server, stage_job("test/hold")).name();
  grpc::ClientContext context;
  v1::WaitJobRequest request;
  request.set_name(name);
  request.mutable_timeout()->set_nanos(1000);
  v1::Job answer;
  ASSERT_TRUE(server.jobs().Wait(&context, request, &answer).ok());
  EXPECT_FALSE(answer.has_end_time());
  server.release();
  EXPECT_EQ(wait(server, name).state(), v1::Job::SUCCEEDED);
}

TEST(Jobs, CancelReachesAStageThatRuns) {
  TestServer server;
  const std::string name = submit(server, stage_job("test/hold")).name();
  server.wait_until([&] { return server.held() == 1; });
  grpc::ClientContext context;
  v1::CancelJobRequest request;
  request.set_name(name);
  v1::Job answer;
  ASSERT_TRUE(server.jobs().Cancel(&context, request, &answer).ok());
  EXPECT_EQ(wait(server, name).state(), v1::Job::CANCELLED);
  EXPECT_EQ(server.held(), 0);
}

TEST(Jobs, ATimeoutEndsAJobAsExpired) {
  TestServer server;
  v1::Job job = stage_job("test/hold");
  job.mutable_timeout()->set_nanos(1'000'000);
  const v1::Job ended = run(server, job);
  EXPECT_EQ(ended.state(), v1::Job::EXPIRED);
  EXPECT_EQ(ended.error().code(), static_cast<int>(grpc::StatusCode::DEADLINE_EXCEEDED));
}

TEST(Jobs, DeleteForgets) {
  TestServer server;
  const std::string name = run(server, stage_job("test/echo")).name();
  for (const bool missing : {false, true}) {
    grpc::ClientContext context;
    v1::DeleteJobRequest request;
    request.set_name(name);
    request.set_allow_missing(missing);
    google::protobuf::Empty nothing;
    EXPECT_TRUE(server.jobs().Delete(&context, request, &nothing).ok());
  }
}

TEST(Jobs, ListPagesThroughAllOfThemNewestFirst) {
  TestServer server;
  std::set<std::string> names;
  for (int i = 0; i < 7; ++i) names.insert(run(server, stage_job("test/echo")).name());
  names.insert(submit(server, stage_job("test/hold")).name());
  v1::ListJobsRequest request;
  request.set_page_size(3);
  std::set<std::string> seen;
  std::string last = "jobs/g";  // after every id
  do {
    const v1::ListJobsResponse page = list(server, request);
    EXPECT_LE(page.jobs_size(), 3);
    for (const v1::Job& job : page.jobs()) {
      EXPECT_LT(job.name(), last);
      last = job.name();
      EXPECT_TRUE(seen.insert(job.name()).second);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, names);
}

TEST(Jobs, ListFilters) {
  TestServer server;
  v1::Job labelled = stage_job("test/fail");
  (*labelled.mutable_labels())["tenant"] = "acme corp";
  const std::string name = run(server, labelled).name();
  run(server, stage_job("test/fail"));
  run(server, stage_job("test/echo"));
  v1::ListJobsRequest request;
  request.set_filter(R"(state = FAILED AND labels.tenant = "acme corp")");
  const v1::ListJobsResponse page = list(server, request);
  ASSERT_EQ(page.jobs_size(), 1);
  EXPECT_EQ(page.jobs(0).name(), name);
}

TEST(Jobs, APageWithPayloadsStaysBelowWhatClientsTake) {
  TestServer server;
  for (int i = 0; i < 5; ++i) run(server, stage_job("test/big", R"({"bytes":1500000})"));
  v1::ListJobsRequest request;
  request.set_view(v1::JOB_VIEW_RESULT);
  int seen = 0;
  int pages = 0;
  do {
    const v1::ListJobsResponse page = list(server, request);
    EXPECT_LT(page.ByteSizeLong(), size_t{4} << 20);
    seen += page.jobs_size();
    ++pages;
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && pages < 20);
  EXPECT_EQ(seen, 5);
  EXPECT_GE(pages, 3);
}

}  // namespace
}  // namespace fermata::frontend
