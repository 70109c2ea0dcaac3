#include "tests/frontend/test_server.h"

#include <utility>

#include "gtest/gtest.h"

namespace fermata::frontend {
namespace {

constexpr char kPipeline[] = R"(
pipeline: pair
input: { type: object, required: [a], properties: { a: { type: integer } } }
stages:
  one: { use: test/echo, with: { value: "${/input/a}" } }
  two: { use: test/echo, with: { value: "${/stages/one/value}" } }
)";

Co<absl::StatusOr<std::string>> echo(FakeCall& call) { co_return call.request.input; }

Co<absl::StatusOr<std::string>> fail(FakeCall& call) {
  co_return absl::InvalidArgumentError("told to fail");
}

Co<absl::StatusOr<std::string>> big(FakeCall& call) {
  const absl::StatusOr<JsonDocument> input = parse_json(call.request.input);
  co_return "\"" + std::string((*input)["bytes"].GetUint64(), 'x') + "\"";
}

}  // namespace

struct TestServer::Held {
  explicit Held(std::atomic<int>& count) : count(count) { ++count; }
  Held(const Held&) = delete;
  ~Held() { --count; }
  std::atomic<int>& count;
};

Co<absl::StatusOr<std::string>> TestServer::hold(FakeCall& call) {
  auto& test = *static_cast<TestServer*>(call.user);
  const Held held(test.held_);
  call.progress(0.5, "held");
  co_await test.released_.wait();
  co_return "\"released\"";
}

TestServer::TestServer(EngineLimits limits, ServerOptions options) {
  std::promise<void> ready;
  thread_ = std::thread([this, limits, options = std::move(options), &ready]() mutable {
    run(limits, std::move(options), &ready);
  });
  ready.get_future().wait();
  channel_ = new_channel();
  jobs_ = v1::Jobs::NewStub(channel_);
  pipelines_ = v1::Pipelines::NewStub(channel_);
  plugins_ = v1::Plugins::NewStub(channel_);
}

TestServer::~TestServer() {
  on_loop([this] { asked_to_stop_.set(); });
  thread_.join();
}

std::shared_ptr<grpc::Channel> TestServer::new_channel(
    const std::shared_ptr<grpc::ChannelCredentials>& credentials) const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(
      "127.0.0.1:" + std::to_string(port_),
      credentials == nullptr ? grpc::InsecureChannelCredentials() : credentials, arguments);
}

void TestServer::run(const EngineLimits& limits, ServerOptions options, std::promise<void>* ready) {
  EpollLoop loop;
  loop_ = &loop;
  const LoopClock clock(loop);
  absl::BitGen random;
  MemoryStore store(clock, Retention());
  stages_ = std::make_unique<FakeStages>();
  stages_->add("test/echo", &echo);
  stages_->add("test/fail", &fail);
  stages_->add("test/big", &big);
  stages_->add("test/hold", &TestServer::hold, this);
  absl::StatusOr<std::shared_ptr<const Pipeline>> pair =
      parse_pipeline(kPipeline, "pair.yaml", nullptr);
  ASSERT_TRUE(pair.ok()) << pair.status();
  ASSERT_TRUE(library_.add(*pair).ok());
  engine_ = std::make_unique<Engine>(loop, store, *stages_, library_, clock, random, limits);
  options.listen = "127.0.0.1:0";
  options.limits.payload = limits.payload;
  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::start(loop, Backend{*engine_, library_, *stages_}, options);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  port_ = server_->port();
  loop.post([ready] { ready->set_value(); });
  const absl::Status status = loop.run(&TestServer::serve_all, std::ref(*this));
  EXPECT_TRUE(status.ok()) << status;
  server_.reset();
  engine_.reset();
}

Co<absl::Status> TestServer::serve_all(TestServer& test) {
  co_return co_await with_group(&TestServer::parts, std::ref(test));
}

Co<absl::Status> TestServer::run_engine(TestServer& test) {
  co_return co_await test.engine_->run();
}

Co<absl::Status> TestServer::run_server(TestServer& test) {
  co_return co_await test.server_->serve();
}

Co<absl::Status> TestServer::parts(TaskGroup& group, TestServer& test) {
  Task<void> engine = group.spawn_named("engine", &TestServer::run_engine, std::ref(test));
  Task<void> server = group.spawn_named("server", &TestServer::run_server, std::ref(test));
  co_await test.asked_to_stop_.wait();
  test.engine_->stop();
  const Outcome<void> engine_ended = co_await std::move(engine);
  EXPECT_TRUE(engine_ended.ok());
  co_await test.server_->stop(absl::Seconds(1));
  const Outcome<void> server_ended = co_await std::move(server);
  EXPECT_TRUE(server_ended.ok());
  co_return absl::OkStatus();
}

void TestServer::on_loop(std::function<void()> call) {
  std::promise<void> done;
  loop_->post([&] {
    call();
    done.set_value();
  });
  done.get_future().wait();
}

void TestServer::wait_until(std::function<bool()> condition) {
  bool holds = false;
  while (!holds) on_loop([&] { holds = condition(); });
}

void TestServer::drain() {
  on_loop([this] {
    server_->set_serving(false);
    engine_->begin_drain();
  });
}

v1::Job stage_job(const std::string& stage, const std::string& input) {
  v1::Job job;
  job.set_stage(stage);
  job.set_input(input);
  return job;
}

}  // namespace fermata::frontend
