// The server itself: health, reflection, catalogues, the drain, its address.
#include <string>

#include "grpcpp/generic/generic_stub.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/frontend/error_details.h"
#include "tests/frontend/test_server.h"

namespace fermata::frontend {
namespace {

using grpc::health::v1::HealthCheckResponse;

grpc::Status check(TestServer& server, const std::string& service, HealthCheckResponse* answer) {
  const auto stub = grpc::health::v1::Health::NewStub(server.channel());
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  return stub->Check(&context, request, answer);
}

HealthCheckResponse::ServingStatus health(TestServer& server, const std::string& service) {
  HealthCheckResponse answer;
  const grpc::Status status = check(server, service, &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answer.status();
}

TEST(Health, EveryServiceAndTheWholeServe) {
  TestServer server;
  for (const char* name : {"", "fermata.v1.Jobs", "fermata.v1.Pipelines", "fermata.v1.Plugins"}) {
    EXPECT_EQ(health(server, name), HealthCheckResponse::SERVING) << name;
  }
  HealthCheckResponse answer;
  EXPECT_EQ(check(server, "fermata.v1.Nothing", &answer).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(Health, APartThatDoesNotServeIsNamedAndTheWholeServes) {
  TestServer server;
  const auto set = [&](bool serving) {
    server.on_loop([&] { server.server().set_part_serving("plugins/test", serving); });
  };
  set(true);
  EXPECT_EQ(health(server, "plugins/test"), HealthCheckResponse::SERVING);
  set(false);
  EXPECT_EQ(health(server, "plugins/test"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(health(server, ""), HealthCheckResponse::SERVING);
  // Neither is a part served by a server that does not serve, nor all parts by one that does.
  server.on_loop([&] { server.server().set_serving(false); });
  set(true);
  EXPECT_EQ(health(server, "plugins/test"), HealthCheckResponse::NOT_SERVING);
  set(false);
  server.on_loop([&] { server.server().set_serving(true); });
  EXPECT_EQ(health(server, "plugins/test"), HealthCheckResponse::NOT_SERVING);
  set(true);
  EXPECT_EQ(health(server, "plugins/test"), HealthCheckResponse::SERVING);
}

TEST(Drain, HealthFlipsNewJobsAreRefusedAndRunningOnesEnd) {
  TestServer server;
  grpc::ClientContext first;
  v1::SubmitJobRequest request;
  *request.mutable_job() = stage_job("test/hold");
  v1::Job job;
  ASSERT_TRUE(server.jobs().Submit(&first, request, &job).ok());
  server.wait_until([&] { return server.held() == 1; });
  server.drain();
  EXPECT_EQ(health(server, ""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(health(server, "fermata.v1.Jobs"), HealthCheckResponse::NOT_SERVING);
  grpc::ClientContext second;
  v1::Job refused;
  const grpc::Status status = server.jobs().Submit(&second, request, &refused);
  expect_error(status, grpc::StatusCode::UNAVAILABLE, "DRAINING");
  EXPECT_GT(detail<google::rpc::RetryInfo>(status).retry_delay().seconds(), 0);
  server.release();
  grpc::ClientContext third;
  v1::WaitJobRequest wait;
  wait.set_name(job.name());
  ASSERT_TRUE(server.jobs().Wait(&third, wait, &job).ok());
  EXPECT_EQ(job.state(), v1::Job::SUCCEEDED);
}

TEST(Health, IsToldFromTheLoopAndFromAThreadBesideIt) {
  TestServer server;
  const auto name = [](int i) { return "plugins/p" + std::to_string(i); };
  std::thread beside([&] {
    for (int i = 0; i <= 1000; ++i) server.server().set_serving(i % 2 == 0);
  });
  for (int i = 0; i < 100; ++i) {
    server.on_loop([&] { server.server().set_part_serving(name(i), i % 2 == 0); });
  }
  beside.join();
  EXPECT_EQ(health(server, ""), HealthCheckResponse::SERVING);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(health(server, name(i)),
              i % 2 == 0 ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING)
        << name(i);
  }
}

TEST(Drain, AServerThatStopsTellsThoseWhoWait) {
  grpc::Status status;
  v1::Job answer;
  grpc::ClientContext context;
  std::thread client;
  {
    TestServer server;
    client = std::thread([&status, &answer, &context, stub = v1::Jobs::NewStub(server.channel())] {
      v1::RunJobRequest request;
      *request.mutable_job() = stage_job("test/hold");
      status = stub->Run(&context, request, &answer);
    });
    server.wait_until([&] { return server.held() == 1; });
  }
  client.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answer.state(), v1::Job::CANCELLED);
  EXPECT_FALSE(answer.reason().empty());
}

TEST(Address, APortThatIsTakenIsAnErrorThatNamesIt) {
  TestServer server;
  const std::string address = "127.0.0.1:" + std::to_string(server.port());
  server.on_loop([&] {
    FakeStages stages;
    PipelineLibrary library;
    ServerOptions options;
    options.listen = address;
    const absl::StatusOr<std::unique_ptr<Server>> second =
        Server::start(Loop::current(), Backend{server.engine(), library, stages}, options);
    ASSERT_FALSE(second.ok());
    EXPECT_NE(std::string(second.status().message()).find(address), std::string::npos);
  });
}

TEST(Reflection, ListsTheServices) {
  TestServer server;
  grpc::GenericStub stub(server.channel());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto next = [&] {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return ok;
  };
  auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  next();
  const grpc::Slice list_services(std::string("\x3a\x01*", 3));  // field 7, a string
  const grpc::ByteBuffer request(&list_services, 1);
  call->Write(request, nullptr);
  next();
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(next());
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(answer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  for (const char* name :
       {"fermata.v1.Jobs", "fermata.v1.Pipelines", "fermata.v1.Plugins", "grpc.health.v1.Health"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  next();
}

TEST(Catalogue, PipelinesAreListedAndShown) {
  TestServer server;
  grpc::ClientContext first;
  v1::ListPipelinesResponse page;
  ASSERT_TRUE(server.pipelines().List(&first, v1::ListPipelinesRequest(), &page).ok());
  ASSERT_EQ(page.pipelines_size(), 1);
  EXPECT_EQ(page.next_page_token(), "");
  v1::GetPipelineRequest request;
  request.set_name(page.pipelines(0).name());
  grpc::ClientContext second;
  v1::Pipeline pair;
  ASSERT_TRUE(server.pipelines().Get(&second, request, &pair).ok());
  EXPECT_EQ(pair.name(), "pipelines/pair");
  EXPECT_NE(pair.input_schema().find("integer"), std::string::npos);
  ASSERT_EQ(pair.stages_size(), 2);
  EXPECT_EQ(pair.stages(1).after(0), "one");
  EXPECT_EQ(pair.stages(1).use(), "test/echo");
  request.set_name("pipelines/pear");
  grpc::ClientContext third;
  const grpc::Status status = server.pipelines().Get(&third, request, &pair);
  expect_error(status, grpc::StatusCode::NOT_FOUND, "PIPELINE_NOT_FOUND");
  EXPECT_EQ(detail<google::rpc::ResourceInfo>(status).resource_name(), "pipelines/pear");
}

TEST(Catalogue, PluginsAreListedInPages) {
  TestServer server;
  v1::ListPluginsRequest request;
  request.set_page_size(1);
  int stages = 0;
  for (int pages = 0; pages < 10; ++pages) {
    grpc::ClientContext context;
    v1::ListPluginsResponse page;
    ASSERT_TRUE(server.plugins().List(&context, request, &page).ok());
    for (const v1::Plugin& plugin : page.plugins()) {
      EXPECT_EQ(plugin.name().find("plugins/"), 0u);
      EXPECT_EQ(plugin.state(), v1::Plugin::LOADED);
      stages += plugin.stages_size();
    }
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  EXPECT_EQ(stages, 4);
}

}  // namespace
}  // namespace fermata::frontend
