// The real daemon, in a process of its own, with a real plugin: how it serves, and how it ends.
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "fermata/v1/jobs.grpc.pb.h"
#include "fermata/v1/plugins.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/fermatad/daemon_process.h"

namespace fermata {
namespace {

class Daemon : public ::testing::Test {
 protected:
  // Starts it with a plugin and a pipeline, and connects.
  void start(const std::string& more_config = "") {
    folder_.add_plugin("time");
    folder_.write("pipelines/nap.yaml",
                  "pipeline: nap\nstages:\n  one: { use: time/delay, with: \"${/input}\" }\n");
    const std::string config =
        folder_.write("fermata.yaml",
                      "listen: 127.0.0.1:0\nmetrics: 127.0.0.1:0\nplugins: { folder: plugins }\n"
                      "pipelines: { folder: pipelines }\n" +
                          more_config);
    process_ = std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config});
    greeting_ = process_->read_line();
    addresses_ = addresses_of(greeting_);
    ASSERT_NE(addresses_.grpc, "") << greeting_;
    channel_ = grpc::CreateChannel(addresses_.grpc, grpc::InsecureChannelCredentials());
    jobs_ = v1::Jobs::NewStub(channel_);
  }

  static v1::Job nap(const std::string& length) {
    v1::Job job;
    job.set_pipeline("nap");
    job.set_input("{\"for\":\"" + length + "\",\"value\":1}");
    return job;
  }

  grpc::Status run(const v1::Job& job, v1::Job* answer) {
    grpc::ClientContext context;
    v1::RunJobRequest request;
    *request.mutable_job() = job;
    return jobs_->Run(&context, request, answer);
  }

  // Runs a job on a thread; returns once its stage is running.
  std::thread run_beside(const v1::Job& job, grpc::Status* status, v1::Job* answer) {
    std::thread client([this, job, status, answer] { *status = run(job, answer); });
    v1::ListJobsRequest request;
    request.set_filter("state = RUNNING");
    v1::ListJobsResponse page;
    while (page.jobs_size() == 0) {
      grpc::ClientContext context;
      EXPECT_TRUE(jobs_->List(&context, request, &page).ok());
    }
    return client;
  }

  TestFolder folder_;
  std::unique_ptr<DaemonProcess> process_;
  std::string greeting_;
  Addresses addresses_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
};

TEST_F(Daemon, ServesAPipelineOfARealPluginAndEndsWhenAsked) {
  start();
  EXPECT_NE(greeting_.find("1 plugins, 1 pipelines"), std::string::npos) << greeting_;
  v1::Job job;
  ASSERT_TRUE(run(nap("1ms"), &job).ok());
  EXPECT_EQ(job.state(), v1::Job::SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.result(), "1");
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait(), 0) << process_->errors();
}

// The watchdog names the function that the loop was blocked in.
TEST_F(Daemon, NobodySleepsOnTheLoopWhenItCloses) {
  start();
  EXPECT_NE(scrape(addresses_.metrics), "");
  process_->signal(SIGINT);
  EXPECT_EQ(process_->wait(), 0) << process_->errors();
  EXPECT_EQ(process_->errors().find("nanosleep"), std::string::npos) << process_->errors();
}

TEST_F(Daemon, ARunningJobEndsDuringTheDrain) {
  start();
  grpc::Status status;
  v1::Job job;
  std::thread client = run_beside(nap("300ms"), &status, &job);
  process_->signal(SIGTERM);
  client.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(job.state(), v1::Job::SUCCEEDED);
  EXPECT_EQ(process_->wait(), 0) << process_->errors();
}

TEST_F(Daemon, AJobThatOutlastsTheDrainIsCancelledAndItsClientTold) {
  start("shutdown: { drain: 10ms }\n");
  grpc::Status status;
  v1::Job job;
  std::thread client = run_beside(nap("1h"), &status, &job);
  process_->signal(SIGINT);
  client.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(job.state(), v1::Job::CANCELLED);
  EXPECT_EQ(process_->wait(), 0) << process_->errors();
  EXPECT_NE(process_->errors().find("are cancelled"), std::string::npos) << process_->errors();
}

TEST_F(Daemon, ASecondSignalEndsItAtOnce) {
  start();
  grpc::Status status;
  v1::Job job;
  std::thread client = run_beside(nap("1h"), &status, &job);
  process_->signal(SIGTERM);
  // The drain has begun when new jobs are refused.
  grpc::Status refused;
  do {
    v1::Job other;
    refused = run(nap("0s"), &other);
  } while (refused.ok());
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.error_message();
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait(), 130) << process_->errors();
  client.join();
  EXPECT_FALSE(status.ok());
}

TEST_F(Daemon, ABadPluginIsListedAndTheOthersServe) {
  folder_.write("plugins/broken.so", "not a library");
  start();
  v1::ListPluginsResponse page;
  grpc::ClientContext context;
  const auto plugins = v1::Plugins::NewStub(channel_);
  ASSERT_TRUE(plugins->List(&context, v1::ListPluginsRequest(), &page).ok());
  ASSERT_EQ(page.plugins_size(), 2);
  EXPECT_EQ(page.plugins(0).name(), "plugins/broken");
  EXPECT_EQ(page.plugins(0).state(), v1::Plugin::REFUSED);
  EXPECT_EQ(page.plugins(0).refusal().find("PLG-"), 0u) << page.plugins(0).refusal();
  EXPECT_EQ(page.plugins(1).state(), v1::Plugin::LOADED);
  v1::Job job;
  ASSERT_TRUE(run(nap("0s"), &job).ok());
  EXPECT_EQ(job.state(), v1::Job::SUCCEEDED);
}

// What promtool says about a text, and its exit code.
int promtool(const TestFolder& folder, const std::string& text, std::string* said) {
  const std::string file = folder.write("metrics.txt", text);
  FILE* pipe = popen(("promtool check metrics < " + file + " 2>&1").c_str(), "r");
  char buffer[4096];
  for (size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    said->append(buffer, got);
  }
  return pclose(pipe);
}

// The rules of prometheus.io hold for our families; prometheus-cpp's own are not ours to name.
std::string only_ours(const std::string& text) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (line.find("exposer_") == std::string::npos) out += line + "\n";
    at = end + 1;
  }
  return out;
}

TEST_F(Daemon, PromtoolHasNoComplaintAboutItsMetrics) {
  start();
  v1::Job job;
  ASSERT_TRUE(run(nap("0s"), &job).ok());
  job.set_pipeline("nothing");
  EXPECT_FALSE(run(job, &job).ok());
  const std::string text = scrape(addresses_.metrics);
  for (const char* sample :
       {"fermata_up 1", "fermata_jobs_submitted_total{pipeline=\"nap\"} 1",
        "fermata_jobs_finished_total{pipeline=\"nap\",state=\"SUCCEEDED\"} 1",
        "fermata_plugin_calls_total{stage=\"time/delay\",outcome=\"ok\"} 1",
        "fermata_rpc_requests_total{method=\"Jobs.Run\",code=\"NOT_FOUND\"} 1",
        "fermata_plugins{state=\"loaded\"} 1", "fermata_loop_lag_seconds_bucket{loop=\"conductor\"",
        "fermata_build_info{version=", "process_cpu_seconds_total"}) {
    EXPECT_NE(text.find(sample), std::string::npos) << sample << "\n" << text;
  }
  std::string said;
  EXPECT_EQ(promtool(folder_, only_ours(text), &said), 0) << said;
  EXPECT_EQ(said, "");
}

TEST_F(Daemon, PromtoolWouldComplain) {
  std::string said;
  EXPECT_NE(promtool(folder_, "# TYPE jobs counter\njobs 1\n", &said), 0);
  EXPECT_NE(said, "");
}

}  // namespace
}  // namespace fermata
