// Load on one unary gRPC method, and what it took. Prints one JSON object.
//
// usage: load_client TARGET METHOD SECONDS outstanding N    closed loop: N calls at any time
//        load_client TARGET METHOD SECONDS rate N           open loop: N calls a second
//
// METHOD is echo, submit, run or queue. The first three send the same bytes, a Submit of a job that
// does nothing, so that what differs is the server alone; queue submits jobs that take an hour. In
// the open loop a call's time counts from when it should have begun, so that a server that falls
// behind cannot hide it.
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fermata/v1/jobs.pb.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer answer;
  grpc::Status status;
  Clock::time_point due;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
};

std::string path_of(const std::string& method) {
  if (method == "submit" || method == "queue") return "/fermata.v1.Jobs/Submit";
  if (method == "run") return "/fermata.v1.Jobs/Run";
  return "/bench.Echo/Echo";
}

// Field 1 of Submit's and Run's requests is the job, so the same bytes do for both.
grpc::ByteBuffer request_bytes(const std::string& method) {
  fermata::v1::SubmitJobRequest request;
  request.mutable_job()->set_stage("time/delay");
  request.mutable_job()->set_input(
      std::string(method == "queue" ? "{\"for\":\"1h\"" : "{\"for\":\"0s\"") +
      ",\"value\":\"0123456789012345678901234567890\"}");
  const grpc::Slice slice(request.SerializeAsString());
  return {&slice, 1};
}

int periodic_timer(Clock::duration gap) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(gap).count();
  const timespec step = {static_cast<time_t>(ns / 1'000'000'000), ns % 1'000'000'000};
  const itimerspec times = {step, step};
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  if (timer < 0 || timerfd_settime(timer, 0, &times, nullptr) != 0) std::abort();
  return timer;
}

class Load {
 public:
  Load(const std::string& target, const std::string& method)
      : stub_(grpc::CreateChannel(target, grpc::InsecureChannelCredentials())),
        path_(path_of(method)),
        request_(request_bytes(method)) {}

  void run_closed(int outstanding, Seconds length) {
    begin(length);
    for (int i = 0; i < outstanding; ++i) start(Clock::now());
    for (int in_flight = outstanding; in_flight > 0; --in_flight) {
      next();
      if (Clock::now() >= end_) continue;
      start(Clock::now());
      ++in_flight;
    }
  }

  // A thread of its own starts the calls: waiting for answers wakes up only to the millisecond.
  void run_open(double rate, Seconds length) {
    begin(length);
    const auto gap = std::chrono::duration_cast<Clock::duration>(Seconds(1.0 / rate));
    const size_t all = static_cast<size_t>(rate * length.count());
    std::thread pacer([this, gap, all] {
      const int timer = periodic_timer(gap);
      uint64_t ticks = 0;
      for (size_t i = 0; i < all && read(timer, &ticks, sizeof(ticks)) == sizeof(ticks);) {
        for (; ticks > 0 && i < all; --ticks, ++i) start(start_ + (i + 1) * gap);
      }
      close(timer);
    });
    for (size_t i = 0; i < all; ++i) next();
    pacer.join();
  }

  void report() {
    const double elapsed = Seconds(Clock::now() - start_).count();
    std::sort(took_us_.begin(), took_us_.end());
    std::printf(
        "{\"calls\":%zu,\"failed\":%zu,\"per_second\":%.1f,\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
        took_us_.size(), failed_, static_cast<double>(took_us_.size()) / elapsed, quantile(0.50),
        quantile(0.99));
    if (failed_ > 0) std::fprintf(stderr, "first failure: %s\n", first_failure_.c_str());
  }
  bool good() const { return failed_ == 0 && !took_us_.empty(); }

 private:
  void begin(Seconds length) {
    start_ = Clock::now();
    end_ = start_ + std::chrono::duration_cast<Clock::duration>(length);
  }

  void start(Clock::time_point due) {
    auto* call = new Call;
    call->due = due;
    call->reader = stub_.PrepareUnaryCall(&call->context, path_, request_, &queue_);
    call->reader->StartCall();
    call->reader->Finish(&call->answer, &call->status, call);
  }

  // Waits for one answer.
  void next() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    if (!call->status.ok()) {
      if (failed_++ == 0) first_failure_ = call->status.error_message();
      return;
    }
    took_us_.push_back(Seconds(Clock::now() - call->due).count() * 1e6);
  }

  double quantile(double q) const {
    if (took_us_.empty()) return NAN;
    return took_us_[static_cast<size_t>(q * static_cast<double>(took_us_.size() - 1))];
  }

  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  const std::string path_;
  const grpc::ByteBuffer request_;
  Clock::time_point start_;
  Clock::time_point end_;
  size_t failed_ = 0;
  std::string first_failure_;
  std::vector<double> took_us_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: load_client TARGET echo|submit|run|queue SECONDS outstanding|rate N\n");
    return 2;
  }
  Load load(argv[1], argv[2]);
  const Seconds length(std::atof(argv[3]));
  if (std::string(argv[4]) == "rate") {
    load.run_open(std::atof(argv[5]), length);
  } else {
    load.run_closed(std::atoi(argv[5]), length);
  }
  load.report();
  return load.good() ? 0 : 1;
}
