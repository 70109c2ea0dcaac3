// Jobs.Watch: a stream that is complete, resumable, and of no weight to the server.
#include <string>
#include <vector>

#include "tests/frontend/error_details.h"
#include "tests/frontend/test_server.h"

namespace fermata::frontend {
namespace {

std::string submit(TestServer& server, const v1::Job& job) {
  grpc::ClientContext context;
  v1::SubmitJobRequest request;
  *request.mutable_job() = job;
  v1::Job answer;
  EXPECT_TRUE(server.jobs().Submit(&context, request, &answer).ok());
  return answer.name();
}

v1::WatchJobRequest watch_of(const std::string& name, int64_t after = 0) {
  v1::WatchJobRequest request;
  request.set_name(name);
  request.set_after_sequence(after);
  return request;
}

// Everything until the stream ends.
std::vector<v1::JobEvent> read_all(grpc::ClientReader<v1::JobEvent>& reader) {
  std::vector<v1::JobEvent> events;
  v1::JobEvent event;
  while (reader.Read(&event)) events.push_back(event);
  const grpc::Status status = reader.Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return events;
}

TEST(Watch, BeginsWithASnapshotAndEndsWithTheResult) {
  TestServer server;
  const std::string name = submit(server, stage_job("test/hold"));
  server.wait_until([&] { return server.held() == 1; });
  grpc::ClientContext context;
  const auto reader = server.jobs().Watch(&context, watch_of(name));
  v1::JobEvent first;
  ASSERT_TRUE(reader->Read(&first));
  EXPECT_EQ(first.kind(), v1::JobEvent::SNAPSHOT);
  EXPECT_EQ(first.job().name(), name);
  EXPECT_EQ(first.sequence(), first.job().sequence());
  server.release();
  const std::vector<v1::JobEvent> events = read_all(*reader);
  ASSERT_FALSE(events.empty());
  int64_t last = first.sequence();
  for (const v1::JobEvent& event : events) {
    EXPECT_GT(event.sequence(), last);
    EXPECT_TRUE(event.has_time());
    last = event.sequence();
  }
  EXPECT_EQ(events.back().kind(), v1::JobEvent::FINISHED);
  EXPECT_EQ(events.back().state(), v1::Job::SUCCEEDED);
  EXPECT_EQ(events.back().job().result(), "\"released\"");
}

TEST(Watch, OfAFinishedJobEndsAtOnce) {
  TestServer server;
  const std::string name = submit(server, stage_job("test/fail"));
  grpc::ClientContext waiting;
  v1::WaitJobRequest wait;
  wait.set_name(name);
  v1::Job ended;
  ASSERT_TRUE(server.jobs().Wait(&waiting, wait, &ended).ok());
  grpc::ClientContext context;
  const std::vector<v1::JobEvent> events = read_all(*server.jobs().Watch(&context, watch_of(name)));
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().kind(), v1::JobEvent::FINISHED);
  EXPECT_EQ(events.back().job().state(), v1::Job::FAILED);
}

TEST(Watch, GoesOnAfterTheSequenceItIsTold) {
  TestServer server;
  const std::string name = submit(server, stage_job("test/hold"));
  server.wait_until([&] { return server.held() == 1; });
  v1::JobEvent seen;
  {
    grpc::ClientContext context;
    const auto reader = server.jobs().Watch(&context, watch_of(name));
    ASSERT_TRUE(reader->Read(&seen));
    context.TryCancel();
  }
  server.release();
  grpc::ClientContext context;
  const std::vector<v1::JobEvent> events =
      read_all(*server.jobs().Watch(&context, watch_of(name, seen.sequence())));
  ASSERT_FALSE(events.empty());
  EXPECT_GT(events.front().sequence(), seen.sequence());
  EXPECT_NE(events.front().kind(), v1::JobEvent::SNAPSHOT);
  EXPECT_EQ(events.back().kind(), v1::JobEvent::FINISHED);
}

TEST(Watch, AClientThatLeavesIsForgottenAndTheJobIsNot) {
  TestServer server;
  const std::string name = submit(server, stage_job("test/hold"));
  server.wait_until([&] { return server.held() == 1; });
  {
    grpc::ClientContext context;
    const auto reader = server.jobs().Watch(&context, watch_of(name));
    v1::JobEvent event;
    ASSERT_TRUE(reader->Read(&event));
    context.TryCancel();
    while (reader->Read(&event)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  server.wait_until([&] {
    return server.server().counters().in_progress[static_cast<size_t>(RpcMethod::kWatch)].value() ==
           0;
  });
  EXPECT_EQ(server.held(), 1);
}

TEST(Watch, AReaderThatDoesNotReadHoldsNothingUp) {
  TestServer server;
  v1::Job job;
  job.set_pipeline_yaml(
      "pipeline: wide\nstages:\n  all: {use: test/echo, each: \"${/input}\", with: "
      "\"${/item}\"}\n");
  std::string input = "[0";
  for (int i = 1; i < 2000; ++i) input += "," + std::to_string(i);
  job.set_input(input + "]");
  const std::string name = submit(server, job);
  grpc::ClientContext context;
  const auto reader = server.jobs().Watch(&context, watch_of(name));
  grpc::ClientContext waiting;
  v1::WaitJobRequest wait;
  wait.set_name(name);
  v1::Job ended;
  ASSERT_TRUE(server.jobs().Wait(&waiting, wait, &ended).ok());
  EXPECT_EQ(ended.state(), v1::Job::SUCCEEDED) << ended.error().message();
  const std::vector<v1::JobEvent> events = read_all(*reader);
  EXPECT_EQ(events.back().kind(), v1::JobEvent::FINISHED);
}

}  // namespace
}  // namespace fermata::frontend
