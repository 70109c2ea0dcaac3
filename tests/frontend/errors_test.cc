// What clients that are wrong, or hostile, are told. Every test ends with a server that serves.
#include <string>

#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/impl/codegen/async_unary_call.h"
#include "tests/frontend/error_details.h"
#include "tests/frontend/test_server.h"

namespace fermata::frontend {
namespace {

using grpc::StatusCode;

class Errors : public ::testing::Test {
 protected:
  explicit Errors(EngineLimits limits = EngineLimits()) : server_(limits) {}

  void TearDown() override {
    grpc::ClientContext context;
    v1::RunJobRequest request;
    *request.mutable_job() = stage_job("test/echo");
    v1::Job job;
    server_.release();
    EXPECT_TRUE(server_.jobs().Run(&context, request, &job).ok()) << "it no longer serves";
    EXPECT_EQ(job.state(), v1::Job::SUCCEEDED);
  }

  grpc::Status submit(const v1::Job& job, const std::string& request_id = "",
                      v1::Job* answer = nullptr) {
    grpc::ClientContext context;
    v1::SubmitJobRequest request;
    *request.mutable_job() = job;
    request.set_request_id(request_id);
    v1::Job ignored;
    return server_.jobs().Submit(&context, request, answer != nullptr ? answer : &ignored);
  }

  // Any bytes at all as a request.
  grpc::Status send_bytes(const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(server_.channel());
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return status;
  }

  TestServer server_;
};

TEST_F(Errors, MalformedJsonNamesTheFieldAndThePlace) {
  for (const char* input : {"{", "nul", "{\"a\":1}}", "[1,]", "'a'", "\"\\ud800\""}) {
    const grpc::Status status = submit(stage_job("test/echo", input));
    expect_bad_field(status, "job.input");
    EXPECT_NE(status.error_message().find("line 1"), std::string::npos) << status.error_message();
  }
}

TEST_F(Errors, InputWithAKeyTwice) {
  expect_bad_field(submit(stage_job("test/echo", R"({"a":1,"a":2})")), "job.input");
}

TEST_F(Errors, InputThatIsNotUtf8) {
  expect_bad_field(submit(stage_job("test/echo", "\"\xff\xfe\"")), "job.input");
}

TEST_F(Errors, InputNestedTooDeep) {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  expect_bad_field(submit(stage_job("test/echo", deep)), "job.input");
}

TEST_F(Errors, InputThatDoesNotMatchTheSchemaNamesThePointer) {
  v1::Job job;
  job.set_pipeline("pair");
  job.set_input(R"({"a":"one"})");
  const grpc::Status status = submit(job);
  expect_bad_field(status, "job.input");
  EXPECT_NE(status.error_message().find("/a"), std::string::npos) << status.error_message();
}

TEST_F(Errors, AnUnknownPipelineGetsANearName) {
  v1::Job job;
  job.set_pipeline("pari");
  const grpc::Status status = submit(job);
  expect_error(status, StatusCode::NOT_FOUND, "PIPELINE_NOT_FOUND");
  EXPECT_NE(status.error_message().find("did you mean 'pair'"), std::string::npos)
      << status.error_message();
  EXPECT_EQ(detail<google::rpc::ResourceInfo>(status).resource_name(), "pipelines/pari");
}

TEST_F(Errors, AnUnknownStageIsNamed) {
  const grpc::Status status = submit(stage_job("test/ecko"));
  expect_error(status, StatusCode::NOT_FOUND, "STAGE_NOT_FOUND");
  EXPECT_EQ(detail<google::rpc::ResourceInfo>(status).resource_name(), "test/ecko");
}

TEST_F(Errors, ABadInlinePipelineNamesLineAndColumn) {
  v1::Job job;
  job.set_pipeline_yaml("pipeline: x\nstagse: {}\n");
  const grpc::Status status = submit(job);
  expect_bad_field(status, "job.pipeline_yaml");
  EXPECT_NE(status.error_message().find(":2:1"), std::string::npos) << status.error_message();
}

TEST_F(Errors, ANameThatIsMegabytesLongIsAnErrorNotABrokenConnection) {
  v1::Job job;
  job.set_pipeline(std::string(1 << 20, 'x'));
  expect_bad_field(submit(job), "job.pipeline");
  expect_bad_field(submit(stage_job(std::string(1 << 20, 'x'))), "job.stage");
  expect_bad_field(submit(stage_job("test/echo", std::string(1 << 20, 'x'))), "job.input");
}

TEST_F(Errors, NoJobAtAll) {
  grpc::ClientContext context;
  v1::Job answer;
  expect_bad_field(server_.jobs().Submit(&context, v1::SubmitJobRequest(), &answer), "job");
}

TEST_F(Errors, BytesThatAreNoMessage) {
  for (const std::string& method : {"/fermata.v1.Jobs/Submit", "/fermata.v1.Jobs/Watch",
                                    "/fermata.v1.Pipelines/Get", "/fermata.v1.Plugins/List"}) {
    expect_error(send_bytes(method, "\xff\xff\xff"), StatusCode::INVALID_ARGUMENT,
                 "MALFORMED_REQUEST");
  }
}

TEST_F(Errors, TextThatIsNotUtf8NamesTheField) {
  v1::SubmitJobRequest request;
  request.mutable_job()->set_pipeline("\xff");
  expect_bad_field(send_bytes("/fermata.v1.Jobs/Submit", request.SerializePartialAsString()),
                   "job.pipeline", "MALFORMED_REQUEST");
}

TEST_F(Errors, AHundredMegabytesAreRefusedUnread) {
  const grpc::Status status = submit(stage_job("test/echo", std::string(100'000'000, ' ')));
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_NE(status.error_message().find("larger than max"), std::string::npos)
      << status.error_message();
}

TEST_F(Errors, APayloadJustAboveTheLimitGetsBothNumbers) {
  const grpc::Status status = submit(stage_job("test/echo", std::string((4 << 20) + 1, ' ')));
  expect_bad_field(status, "job.input", "PAYLOAD_TOO_LARGE");
  const auto info = detail<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.metadata().at("bytes"), "4194305");
  EXPECT_EQ(info.metadata().at("limit"), "4194304");
}

TEST_F(Errors, AJobThatIsNotThere) {
  const std::string name = "jobs/01890000-0000-7000-8000-000000000000";
  v1::Job job;
  const auto expect_missing = [&](const grpc::Status& status) {
    expect_error(status, StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
    EXPECT_EQ(detail<google::rpc::ResourceInfo>(status).resource_name(), name);
  };
  v1::GetJobRequest get;
  get.set_name(name);
  grpc::ClientContext first;
  expect_missing(server_.jobs().Get(&first, get, &job));
  v1::WaitJobRequest wait;
  wait.set_name(name);
  grpc::ClientContext second;
  expect_missing(server_.jobs().Wait(&second, wait, &job));
  v1::CancelJobRequest cancel;
  cancel.set_name(name);
  grpc::ClientContext third;
  expect_missing(server_.jobs().Cancel(&third, cancel, &job));
  v1::DeleteJobRequest forget;
  forget.set_name(name);
  google::protobuf::Empty nothing;
  grpc::ClientContext fourth;
  expect_missing(server_.jobs().Delete(&fourth, forget, &nothing));
  v1::WatchJobRequest watch;
  watch.set_name(name);
  grpc::ClientContext fifth;
  v1::JobEvent event;
  const auto events = server_.jobs().Watch(&fifth, watch);
  EXPECT_FALSE(events->Read(&event));
  expect_missing(events->Finish());
}

TEST_F(Errors, WhatDoesNotFitTheJobsState) {
  v1::Job held;
  ASSERT_TRUE(submit(stage_job("test/hold"), "", &held).ok());
  v1::DeleteJobRequest forget;
  forget.set_name(held.name());
  google::protobuf::Empty nothing;
  grpc::ClientContext first;
  const grpc::Status early = server_.jobs().Delete(&first, forget, &nothing);
  expect_error(early, StatusCode::FAILED_PRECONDITION, "JOB_NOT_FINISHED");
  EXPECT_EQ(detail<google::rpc::PreconditionFailure>(early).violations(0).subject(), held.name());
  server_.release();
  v1::WaitJobRequest wait;
  wait.set_name(held.name());
  grpc::ClientContext second;
  ASSERT_TRUE(server_.jobs().Wait(&second, wait, &held).ok());
  v1::CancelJobRequest cancel;
  cancel.set_name(held.name());
  grpc::ClientContext third;
  expect_error(server_.jobs().Cancel(&third, cancel, &held), StatusCode::FAILED_PRECONDITION,
               "JOB_FINISHED");
}

TEST_F(Errors, ARequestIdForAnotherJob) {
  v1::Job first;
  ASSERT_TRUE(submit(stage_job("test/echo", "1"), "same", &first).ok());
  const grpc::Status status = submit(stage_job("test/echo", "2"), "same");
  expect_error(status, StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED");
  EXPECT_EQ(detail<google::rpc::ResourceInfo>(status).resource_name(), first.name());
}

TEST_F(Errors, BadListings) {
  const auto list = [&](const v1::ListJobsRequest& request) {
    grpc::ClientContext context;
    v1::ListJobsResponse answer;
    return server_.jobs().List(&context, request, &answer);
  };
  v1::ListJobsRequest request;
  request.set_page_size(-1);
  expect_bad_field(list(request), "page_size");
  request.set_page_size(0);
  request.set_page_token("nonsense");
  expect_bad_field(list(request), "page_token");
  request.clear_page_token();
  request.set_filter("colour = red");
  expect_bad_field(list(request), "filter");
}

TEST_F(Errors, BadNamesAndNumbers) {
  v1::Job job;
  v1::GetJobRequest get;
  get.set_name("jobs/a/b");
  grpc::ClientContext first;
  expect_bad_field(server_.jobs().Get(&first, get, &job), "name");
  v1::WaitJobRequest wait;
  wait.set_name("jobs/1");
  wait.mutable_timeout()->set_seconds(-1);
  grpc::ClientContext second;
  expect_bad_field(server_.jobs().Wait(&second, wait, &job), "timeout");
  v1::WatchJobRequest watch;
  watch.set_name("jobs/1");
  watch.set_after_sequence(-1);
  grpc::ClientContext third;
  expect_bad_field(server_.jobs().Watch(&third, watch)->Finish(), "after_sequence");
}

class Limits : public Errors {
 protected:
  Limits() : Errors(one_job()) {}
  static EngineLimits one_job() {
    EngineLimits limits;
    limits.jobs = 1;
    return limits;
  }
};

TEST_F(Limits, AFullServerSaysWhichLimitAndWhenToTryAgain) {
  v1::Job held;
  ASSERT_TRUE(submit(stage_job("test/hold"), "", &held).ok());
  const grpc::Status status = submit(stage_job("test/echo"));
  expect_error(status, StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_JOBS");
  EXPECT_EQ(detail<google::rpc::QuotaFailure>(status).violations(0).subject(), "limits.jobs");
  EXPECT_GT(detail<google::rpc::RetryInfo>(status).retry_delay().seconds(), 0);
  server_.release();
  v1::WaitJobRequest wait;
  wait.set_name(held.name());
  grpc::ClientContext context;
  EXPECT_TRUE(server_.jobs().Wait(&context, wait, &held).ok());
}

}  // namespace
}  // namespace fermata::frontend
