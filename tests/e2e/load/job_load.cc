// Runs one stage over and over at a steady rate, and looks at every answer, until its stdin ends.
// The stage answers with its version, so each job tells twice what ran it: in its result and in its
// record. Prints one JSON object.
//
// usage: job_load TARGET STAGE INPUT RATE
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "fermata/v1/jobs.grpc.pb.h"
#include "grpcpp/create_channel.h"

namespace {

using Clock = std::chrono::steady_clock;
namespace v1 = fermata::v1;

// More than these at once: the server has fallen behind, and the rate is what it can do.
constexpr int kOutstandingMax = 2000;

struct Counts {
  int64_t sent = 0;
  int64_t succeeded = 0;
  int64_t failed = 0;      // the job ended, but not well
  int64_t lost = 0;        // the call failed: nobody knows of the job
  int64_t unrecorded = 0;  // succeeded without saying what ran it
  int64_t mixed = 0;       // the record names another version than the result
  std::map<std::string, int64_t> by_version;
  std::string first_trouble;
};

class Load {
 public:
  Load(const std::string& target, std::string stage, std::string input)
      : stub_(v1::Jobs::NewStub(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()))),
        stage_(std::move(stage)),
        input_(std::move(input)) {}

  // False: too many are outstanding.
  bool send() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (outstanding_ >= kOutstandingMax) return false;
      ++outstanding_;
      ++counts_.sent;
    }
    auto* call = new Call;
    call->request.mutable_job()->set_stage(stage_);
    call->request.mutable_job()->set_input(input_);
    stub_->async()->Run(&call->context, &call->request, &call->job,
                        [this, call](const grpc::Status& status) {
                          ended(status, call->job);
                          delete call;
                        });
    return true;
  }

  Counts finish() {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return outstanding_ == 0; });
    return counts_;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::RunJobRequest request;
    v1::Job job;
  };

  void ended(const grpc::Status& status, const v1::Job& job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!status.ok()) {
      trouble(counts_.lost, status.error_message());
    } else if (job.state() != v1::Job::SUCCEEDED) {
      trouble(counts_.failed, job.error().message());
    } else if (job.stages_size() != 1 || job.stages(0).versions_size() == 0) {
      trouble(counts_.unrecorded, job.name());
    } else {
      ++counts_.succeeded;
      const std::string& recorded = job.stages(0).versions(job.stages(0).versions_size() - 1);
      ++counts_.by_version[recorded];
      // "1.0.0" is the result of "1.0.0+9f2c71ab".
      if ("\"" + recorded.substr(0, recorded.find('+')) + "\"" != job.result()) {
        trouble(counts_.mixed, recorded + " answered " + job.result());
      }
    }
    if (--outstanding_ == 0) idle_.notify_all();
  }
  void trouble(int64_t& count, const std::string& what) {
    ++count;
    if (counts_.first_trouble.empty()) counts_.first_trouble = what;
  }

  const std::unique_ptr<v1::Jobs::Stub> stub_;
  const std::string stage_;
  const std::string input_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int outstanding_ = 0;
  Counts counts_;
};

void print(const Counts& counts, double seconds) {
  std::string versions;
  for (const auto& [version, count] : counts.by_version) {
    versions += (versions.empty() ? "" : ", ") + ("\"" + version + "\": ") + std::to_string(count);
  }
  std::string trouble = counts.first_trouble;
  std::replace(trouble.begin(), trouble.end(), '"', '\'');
  std::replace(trouble.begin(), trouble.end(), '\n', ' ');
  std::printf(
      "{\"sent\": %lld, \"succeeded\": %lld, \"failed\": %lld, \"lost\": %lld, "
      "\"unrecorded\": %lld, \"mixed\": %lld, \"rate\": %.1f, \"seconds\": %.2f, "
      "\"versions\": {%s}, \"first_trouble\": \"%s\"}\n",
      static_cast<long long>(counts.sent), static_cast<long long>(counts.succeeded),
      static_cast<long long>(counts.failed), static_cast<long long>(counts.lost),
      static_cast<long long>(counts.unrecorded), static_cast<long long>(counts.mixed),
      static_cast<double>(counts.succeeded) / seconds, seconds, versions.c_str(), trouble.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: job_load TARGET STAGE INPUT RATE\n");
    return 2;
  }
  const double rate = std::atof(argv[4]);
  Load load(argv[1], argv[2], argv[3]);
  const Clock::time_point began = Clock::now();
  double due = 0;
  for (;;) {
    pollfd in{STDIN_FILENO, POLLIN, 0};
    if (::poll(&in, 1, /*timeout_ms=*/1) > 0) break;
    const double elapsed = std::chrono::duration<double>(Clock::now() - began).count();
    // What could not be sent in time is not sent later in one burst.
    due = std::max(due, elapsed * rate - 100);
    while (due < elapsed * rate && load.send()) ++due;
  }
  const Counts counts = load.finish();
  print(counts, std::chrono::duration<double>(Clock::now() - began).count());
  return 0;
}
