// Calls that last end when the credentials that they began with do.
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "tests/frontend/access_test_server.h"

namespace fermata::frontend {
namespace {

using grpc::StatusCode;

class Revocation : public testing::Test {
 protected:
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::JobEvent>> reader;

    // To its end.
    grpc::Status end() {
      v1::JobEvent event;
      while (reader->Read(&event)) {
      }
      return reader->Finish();
    }
  };

  Revocation() {
    folder_.add("owner", "{ allow: [submit, read], queues: ['*'] }");
    folder_.add("watcher", "{ allow: [read], queues: ['*'] }");
    folder_.add("canary", "{ allow: [read], queues: ['*'] }");
    folder_.save();
    server_.emplace(EngineLimits(), folder_.options());
    grpc::ClientContext context;
    use_token(context, folder_.token("owner"));
    v1::SubmitJobRequest request;
    *request.mutable_job() = stage_job("test/hold");
    v1::Job job;
    EXPECT_TRUE(server_->jobs().Submit(&context, request, &job).ok());
    job_ = job.name();
    server_->wait_until([&] { return server_->held() == 1; });
  }

  // Watches the job; returns when the stream has begun, or was refused.
  std::unique_ptr<Stream> watch(const std::string& who) {
    auto stream = std::make_unique<Stream>();
    use_token(stream->context, folder_.token(who));
    v1::WatchJobRequest request;
    request.set_name(job_);
    stream->reader = server_->jobs().Watch(&stream->context, request);
    v1::JobEvent first;
    stream->reader->Read(&first);
    return stream;
  }

  // Changes the tokens file, and comes back when running calls have been looked at since.
  void change(const std::function<void()>& what) {
    const auto canary = watch("canary");
    folder_.remove("canary");
    what();
    folder_.save();
    EXPECT_EQ(canary->end().error_code(), StatusCode::UNAUTHENTICATED);
  }

  AccessFolder folder_;
  std::optional<TestServer> server_;
  std::string job_;
};

TEST_F(Revocation, AStreamEndsWithItsTokenAndTheOthersGoOn) {
  const auto gone = watch("watcher");
  const auto stays = watch("owner");
  change([&] { folder_.remove("watcher"); });
  expect_error(gone->end(), StatusCode::UNAUTHENTICATED, "CREDENTIALS_CHANGED");
  server_->release();
  EXPECT_TRUE(stays->end().ok());
}

TEST_F(Revocation, AStreamOfATokenThatMayOtherThingsNowEnds) {
  const auto stream = watch("watcher");
  change([&] {
    folder_.remove("watcher");
    folder_.add("watcher", "{ allow: [catalog] }");
  });
  expect_error(stream->end(), StatusCode::UNAUTHENTICATED, "CREDENTIALS_CHANGED");
}

TEST_F(Revocation, RunEndsAndItsJobIsCancelled) {
  grpc::ClientContext context;
  use_token(context, folder_.token("owner"));
  v1::RunJobRequest request;
  *request.mutable_job() = stage_job("test/hold");
  v1::Job job;
  grpc::Status status;
  std::thread run([&] { status = server_->jobs().Run(&context, request, &job); });
  server_->wait_until([&] { return server_->held() == 2; });
  change([&] { folder_.remove("owner"); });
  run.join();
  expect_error(status, StatusCode::UNAUTHENTICATED, "CREDENTIALS_CHANGED");
  server_->wait_until([&] { return server_->held() == 1; });  // the submitted one goes on
}

TEST_F(Revocation, AStreamEndsWhenItsTokenExpires) {
  folder_.add("short", "{ allow: [read], queues: ['*'] }",
              str_cat(", expires: '",
                      absl::FormatTime(absl::RFC3339_full, absl::Now() + absl::Seconds(3),
                                       absl::UTCTimeZone()),
                      "'"));
  change([] {});
  expect_error(watch("short")->end(), StatusCode::UNAUTHENTICATED, "CREDENTIALS_EXPIRED");
}

}  // namespace
}  // namespace fermata::frontend
