// Clients that leave before they have their answer: politely, by deadline, or without a word.
#include <string>
#include <thread>

#include "tests/frontend/error_details.h"
#include "tests/frontend/relay.h"
#include "tests/frontend/test_server.h"

namespace fermata::frontend {
namespace {

v1::RunJobRequest run_held(bool detach = false) {
  v1::RunJobRequest request;
  *request.mutable_job() = stage_job("test/hold");
  request.set_detach(detach);
  return request;
}

// The one job of the server, by way of a list.
v1::Job only_job(TestServer& server) {
  grpc::ClientContext context;
  v1::ListJobsResponse page;
  EXPECT_TRUE(server.jobs().List(&context, v1::ListJobsRequest(), &page).ok());
  EXPECT_EQ(page.jobs_size(), 1);
  return page.jobs_size() == 1 ? page.jobs(0) : v1::Job();
}

v1::Job wait(TestServer& server, const std::string& name) {
  grpc::ClientContext context;
  v1::WaitJobRequest request;
  request.set_name(name);
  v1::Job answer;
  EXPECT_TRUE(server.jobs().Wait(&context, request, &answer).ok());
  return answer;
}

// Runs a held job on a thread, and calls `leave` once its stage is running.
template <class Leave>
grpc::Status run_and_leave(TestServer& server, v1::Jobs::Stub& stub, grpc::ClientContext& context,
                           const v1::RunJobRequest& request, Leave leave) {
  grpc::Status status;
  std::thread client([&] {
    v1::Job answer;
    status = stub.Run(&context, request, &answer);
  });
  server.wait_until([&] { return server.held() == 1; });
  leave();
  client.join();
  return status;
}

TEST(Leaving, CancellingRunCancelsTheJob) {
  TestServer server;
  grpc::ClientContext context;
  const grpc::Status status =
      run_and_leave(server, server.jobs(), context, run_held(), [&] { context.TryCancel(); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  server.wait_until([&] { return server.held() == 0; });
  EXPECT_EQ(wait(server, only_job(server).name()).state(), v1::Job::CANCELLED);
}

TEST(Leaving, ADetachedJobGoesOn) {
  TestServer server;
  grpc::ClientContext context;
  run_and_leave(server, server.jobs(), context, run_held(/*detach=*/true),
                [&] { context.TryCancel(); });
  server.wait_until([&] {
    return server.server().counters().in_progress[static_cast<size_t>(RpcMethod::kRun)].value() ==
           0;
  });
  EXPECT_EQ(server.held(), 1);
  server.release();
  EXPECT_EQ(wait(server, only_job(server).name()).state(), v1::Job::SUCCEEDED);
}

TEST(Leaving, ADeadlineCancelsTheJobOfRun) {
  TestServer server;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  v1::Job answer;
  const grpc::Status status = server.jobs().Run(&context, run_held(), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  server.wait_until([&] {
    const EngineStats stats = server.engine().stats();
    return stats.submitted == 1 && server.held() == 0;
  });
  EXPECT_EQ(wait(server, only_job(server).name()).state(), v1::Job::CANCELLED);
}

TEST(Leaving, AConnectionThatIsCutCancelsTheJobOfRun) {
  TestServer server;
  Relay relay(server.port());
  auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(relay.port()),
                                     grpc::InsecureChannelCredentials());
  auto stub = v1::Jobs::NewStub(channel);
  grpc::ClientContext context;
  const grpc::Status status =
      run_and_leave(server, *stub, context, run_held(), [&] { relay.cut(); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  server.wait_until([&] { return server.held() == 0; });
  EXPECT_EQ(wait(server, only_job(server).name()).state(), v1::Job::CANCELLED);
}

TEST(Leaving, CancellingWaitDoesNotTouchTheJob) {
  TestServer server;
  grpc::ClientContext submit;
  v1::SubmitJobRequest request;
  *request.mutable_job() = stage_job("test/hold");
  v1::Job job;
  ASSERT_TRUE(server.jobs().Submit(&submit, request, &job).ok());
  server.wait_until([&] { return server.held() == 1; });
  grpc::ClientContext context;
  std::thread client([&] {
    v1::WaitJobRequest wait;
    wait.set_name(job.name());
    v1::Job answer;
    EXPECT_EQ(server.jobs().Wait(&context, wait, &answer).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  server.wait_until([&] { return server.engine().stats().waiters == 1; });
  context.TryCancel();
  client.join();
  server.wait_until([&] { return server.engine().stats().waiters == 0; });
  EXPECT_EQ(server.held(), 1);
  server.release();
  EXPECT_EQ(wait(server, job.name()).state(), v1::Job::SUCCEEDED);
}

TEST(Leaving, ManyClientsThatLeaveAtOnceLeaveNothingBehind) {
  TestServer server;
  constexpr int kClients = 100;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<v1::Job> answers(kClients);
  std::atomic<int> ended{0};
  const v1::RunJobRequest request = run_held();
  for (int i = 0; i < kClients; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    server.jobs().async()->Run(contexts.back().get(), &request, &answers[static_cast<size_t>(i)],
                               [&](grpc::Status) { ++ended; });
  }
  server.wait_until([&] { return server.held() == kClients; });
  for (auto& context : contexts) context->TryCancel();
  server.wait_until([&] { return server.held() == 0 && ended == kClients; });
  server.wait_until([&] {
    return server.server().counters().in_progress[static_cast<size_t>(RpcMethod::kRun)].value() ==
           0;
  });
}

}  // namespace
}  // namespace fermata::frontend
