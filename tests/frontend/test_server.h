// TestServer: a whole front end with a real engine, in this process, on a free port. The stages are
// coroutines that a test can hold and release:
//
//   test/echo   answers with its input
//   test/fail   fails for good
//   test/hold   waits until release(), or for ever; counts who is inside
//   test/big    answers with a string of {"bytes": N}
//
// The loop runs on a thread of its own, as in the daemon; the test's thread is a client.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "absl/random/random.h"
#include "fermata/v1/jobs.grpc.pb.h"
#include "fermata/v1/pipelines.grpc.pb.h"
#include "fermata/v1/plugins.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "services/async/async.h"
#include "services/engine/engine.h"
#include "services/frontend/server.h"
#include "services/pipeline/pipeline_library.h"
#include "services/stages/testing/fake_stages.h"
#include "services/store/memory_store.h"

namespace fermata::frontend {

class TestServer {
 public:
  explicit TestServer(EngineLimits limits = EngineLimits(),
                      ServerOptions options = ServerOptions());
  ~TestServer();

  v1::Jobs::Stub& jobs() { return *jobs_; }
  v1::Pipelines::Stub& pipelines() { return *pipelines_; }
  v1::Plugins::Stub& plugins() { return *plugins_; }
  std::shared_ptr<grpc::Channel> channel() { return channel_; }
  // A connection of its own; null credentials: plain text.
  std::shared_ptr<grpc::Channel> new_channel(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials = nullptr) const;
  int port() const { return port_; }

  // Runs `call` on the loop and waits for it.
  void on_loop(std::function<void()> call);
  Engine& engine() { return *engine_; }
  Server& server() { return *server_; }
  // Asks the loop again and again until `condition` holds there.
  void wait_until(std::function<bool()> condition);

  // Lets every call of test/hold go on.
  void release() {
    on_loop([this] { released_.set(); });
  }
  int held() const { return held_.load(); }  // calls inside test/hold now

  // The drain as the daemon does it, with no time for jobs that run.
  void drain();

 private:
  struct Held;
  static Co<absl::StatusOr<std::string>> hold(FakeCall& call);
  static Co<absl::Status> serve_all(TestServer& test);
  static Co<absl::Status> parts(TaskGroup& group, TestServer& test);
  static Co<absl::Status> run_engine(TestServer& test);
  static Co<absl::Status> run_server(TestServer& test);
  void run(const EngineLimits& limits, ServerOptions options, std::promise<void>* ready);

  std::atomic<int> held_{0};
  Event released_;
  Event asked_to_stop_;
  EpollLoop* loop_ = nullptr;
  std::unique_ptr<FakeStages> stages_;
  PipelineLibrary library_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
  std::thread thread_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
  std::unique_ptr<v1::Pipelines::Stub> pipelines_;
  std::unique_ptr<v1::Plugins::Stub> plugins_;
};

// A job of one stage.
v1::Job stage_job(const std::string& stage, const std::string& input = "{}");

}  // namespace fermata::frontend
