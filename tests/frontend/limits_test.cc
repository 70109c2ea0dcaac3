// Limits on calls, watchers, connections: refused with a reason, nothing lost, still serving.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/frontend/access_test_server.h"

namespace fermata::frontend {
namespace {

using grpc::StatusCode;

ServerOptions small() {
  ServerOptions options;
  options.calls = {.calls = 4, .watchers = 2, .bytes = 64 << 10};
  return options;
}

grpc::Status submit(v1::Jobs::Stub& stub, const std::string& stage, v1::Job* job,
                    const std::string& input = "{}") {
  grpc::ClientContext context;
  v1::SubmitJobRequest request;
  *request.mutable_job() = stage_job(stage, input);
  return stub.Submit(&context, request, job);
}

// Runs of a held job, each on a thread of its own.
class HeldRuns {
 public:
  HeldRuns(TestServer& server, int count) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([&server, this, i] {
        v1::RunJobRequest request;
        *request.mutable_job() = stage_job("test/hold");
        v1::Job job;
        statuses_[static_cast<size_t>(i)] =
            server.jobs().Run(&contexts_[static_cast<size_t>(i)], request, &job);
      });
    }
    server.wait_until([&] { return server.held() == count; });
  }
  void end() {
    for (std::thread& thread : threads_) thread.join();
    for (size_t i = 0; i < threads_.size(); ++i) {
      EXPECT_TRUE(statuses_[i].ok()) << statuses_[i].error_message();
    }
  }

 private:
  std::array<grpc::ClientContext, 16> contexts_;
  std::array<grpc::Status, 16> statuses_;
  std::vector<std::thread> threads_;
};

TEST(Limits, OneCallTooManyIsRefusedAndTheOthersGoOn) {
  TestServer server(EngineLimits(), small());
  HeldRuns runs(server, 4);
  v1::Job job;
  const grpc::Status refused = submit(server.jobs(), "test/echo", &job);
  expect_error(refused, StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_CALLS");
  EXPECT_EQ(detail<google::rpc::QuotaFailure>(refused).violations(0).subject(), "limits.calls");
  const auto retry = detail<google::rpc::RetryInfo>(refused).retry_delay();
  EXPECT_GT(retry.seconds() * 1'000'000'000 + retry.nanos(), 0);
  server.release();
  runs.end();
  // Given back when gRPC is done with a call, soon after its client is.
  while (!submit(server.jobs(), "test/echo", &job).ok()) {
  }
}

TEST(Limits, WatchersLeaveRoomForOtherCalls) {
  TestServer server(EngineLimits(), small());
  v1::Job job;
  ASSERT_TRUE(submit(server.jobs(), "test/hold", &job).ok());
  v1::WatchJobRequest request;
  request.set_name(job.name());
  std::array<grpc::ClientContext, 3> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::JobEvent>>> streams;
  v1::JobEvent event;
  for (size_t i = 0; i < 2; ++i) {
    streams.push_back(server.jobs().Watch(&contexts[i], request));
    ASSERT_TRUE(streams.back()->Read(&event));
  }
  const auto third = server.jobs().Watch(&contexts[2], request);
  EXPECT_FALSE(third->Read(&event));
  expect_error(third->Finish(), StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS");
  EXPECT_TRUE(submit(server.jobs(), "test/echo", &job).ok());
  server.release();
  for (auto& stream : streams) {
    while (stream->Read(&event)) {
    }
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST(Limits, BytesAreCountedWhileTheyAreHeldAndGivenBack) {
  TestServer server(EngineLimits(), small());
  v1::Job job;
  const std::string input = "\"" + std::string(60 << 10, 'x') + "\"";
  // One after the other they all fit, since each is given back.
  for (int i = 0; i < 20; ++i) {
    grpc::Status status;
    do {
      status = submit(server.jobs(), "test/echo", &job, input);
    } while (status.error_code() == StatusCode::RESOURCE_EXHAUSTED);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  server.wait_until([&] { return server.server().guard().quota.bytes() == 0; });
}

// Raw connections, without a word of HTTP/2.
class RawClients {
 public:
  explicit RawClients(int port) : port_(port) {}
  ~RawClients() {
    for (const int fd : sockets_) ::close(fd);
  }
  // False: this process has no descriptor left for another one.
  bool connect() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    sockets_.push_back(fd);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port_));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }

 private:
  const int port_;
  std::vector<int> sockets_;
};

class Descriptors : public testing::Test {
 protected:
  Descriptors() { EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0); }
  ~Descriptors() override { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  void limit_to(rlim_t descriptors) {
    const rlimit limit = {descriptors, before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

 private:
  rlimit before_ = {};
};

TEST_F(Descriptors, ConnectionsLeaveSomeForTheRestOfTheProcess) {
  limit_to(400);
  TestServer server;
  const auto door = [&] { return server.server().door(); };
  v1::Job job;
  ASSERT_TRUE(submit(server.jobs(), "test/echo", &job).ok());
  {
    RawClients storm(server.port());
    uint64_t handled = 0;
    server.on_loop([&] { handled = door().accepted + door().turned_away; });
    for (bool turned_away = false; !turned_away;) {
      ASSERT_TRUE(storm.connect()) << "no descriptor left for others";
      // One at a time: the clients' descriptors are this process's too.
      ++handled;
      server.wait_until([&] { return door().accepted + door().turned_away >= handled; });
      server.on_loop([&] { turned_away = door().turned_away > 0; });
    }
    std::ifstream file("/dev/null");
    EXPECT_TRUE(file.is_open());
    ASSERT_TRUE(submit(server.jobs(), "test/echo", &job).ok());  // who is in stays in
  }
  // Room again, as soon as the server has seen them leave.
  grpc::Status status;
  do {
    status = submit(*v1::Jobs::NewStub(server.new_channel()), "test/echo", &job);
  } while (status.error_code() == StatusCode::UNAVAILABLE);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(Descriptors, OutOfThemAcceptingPausesAndGoesOn) {
  TestServer server;  // with all the descriptors there are
  v1::Job job;
  ASSERT_TRUE(submit(server.jobs(), "test/echo", &job).ok());
  RawClients waiting(server.port());
  {
    // The next descriptor is the last one: for the client. The server has none to accept with.
    const int next = ::dup(0);
    ::close(next);
    limit_to(static_cast<rlim_t>(next) + 1);
    ASSERT_TRUE(waiting.connect());
    server.wait_until([&] { return server.server().door().pauses > 0; });
    limit_to(static_cast<rlim_t>(next) + 100);
  }
  uint64_t accepted = 0;
  server.on_loop([&] { accepted = server.server().door().accepted; });
  const grpc::Status status = submit(*v1::Jobs::NewStub(server.new_channel()), "test/echo", &job);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_GE(accepted, 1u);
}

TEST(UnixSocket, OneThatACrashLeftIsTakenOverOneThatLivesIsNot) {
  // A socket's path has at most 107 bytes, and a test's own folder may be longer.
  char folder[] = "/tmp/fermata-limits-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/s";
  const std::string address = "unix:" + path;
  {
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    ::close(dead);
  }
  const auto first = FrontDoor::open(address);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = FrontDoor::open(address);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(address), absl::string_view::npos) << second.status();
  ::unlink(path.c_str());
  ::rmdir(folder);
}

}  // namespace
}  // namespace fermata::frontend
