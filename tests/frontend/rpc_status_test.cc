#include "services/frontend/rpc_status.h"

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "services/config/utf8.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

google::rpc::Status details_of(const grpc::Status& status) {
  google::rpc::Status out;
  EXPECT_TRUE(out.ParseFromString(status.error_details()));
  return out;
}

template <class T>
T detail(const grpc::Status& status) {
  T out;
  int found = 0;
  const google::rpc::Status all = details_of(status);
  for (const auto& any : all.details()) found += any.UnpackTo(&out) ? 1 : 0;
  EXPECT_EQ(found, 1) << T::descriptor()->full_name();
  return out;
}

TEST(RpcStatus, OkHasNoDetails) {
  EXPECT_TRUE(to_rpc_status(absl::OkStatus()).ok());
  EXPECT_EQ(to_rpc_status(absl::OkStatus()).error_details(), "");
}

TEST(RpcStatus, EveryCodeGetsAnErrorInfo) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status status =
        to_rpc_status(absl::Status(static_cast<absl::StatusCode>(code), "why"));
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    EXPECT_EQ(status.error_message(), "why");
    const auto info = detail<google::rpc::ErrorInfo>(status);
    EXPECT_EQ(info.domain(), "fermata.dev");
    EXPECT_FALSE(info.reason().empty());
    EXPECT_EQ(details_of(status).code(), code);
  }
}

TEST(RpcStatus, ALimitSaysWhichAndWhenToTryAgain) {
  const grpc::Status status = to_rpc_status(
      limit_reached("TOO_MANY_JOBS", "limits.jobs", 10, 10, absl::Milliseconds(1500)));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detail<google::rpc::ErrorInfo>(status).reason(), "TOO_MANY_JOBS");
  EXPECT_EQ(detail<google::rpc::QuotaFailure>(status).violations(0).subject(), "limits.jobs");
  const auto retry = detail<google::rpc::RetryInfo>(status).retry_delay();
  EXPECT_EQ(retry.seconds(), 1);
  EXPECT_EQ(retry.nanos(), 500'000'000);
}

TEST(RpcStatus, AMissingThingIsNamed) {
  const grpc::Status status = to_rpc_status(pipeline_not_found(
      "scrap", absl::NotFoundError("no pipeline 'scrap', did you mean 'scrape'?")));
  const auto resource = detail<google::rpc::ResourceInfo>(status);
  EXPECT_EQ(resource.resource_type(), "fermata.dev/pipeline");
  EXPECT_EQ(resource.resource_name(), "pipelines/scrap");
  EXPECT_NE(status.error_message().find("did you mean"), std::string::npos);
}

TEST(RpcStatus, BadFieldsAndPreconditionsAreListed) {
  EXPECT_EQ(detail<google::rpc::BadRequest>(to_rpc_status(invalid_field("job.queue", "expected")))
                .field_violations(0)
                .field(),
            "job.queue");
  EXPECT_EQ(detail<google::rpc::PreconditionFailure>(to_rpc_status(job_finished("1", "FAILED")))
                .violations(0)
                .subject(),
            "jobs/1");
}

TEST(RpcStatus, FitsIntoHeadersHoweverLongTheTextsAre) {
  ErrorDetail huge;
  huge.reason = "INVALID_REQUEST";
  for (int i = 0; i < 100; ++i) {
    const std::string text(100000, 'x');
    huge.fields.push_back({text, text});
    huge.metadata["key" + std::to_string(i)] = text;
  }
  const grpc::Status status =
      to_rpc_status(with_detail(absl::InvalidArgumentError(std::string(1 << 20, 'y')), huge));
  EXPECT_LT(status.error_message().size() + status.error_details().size() * 4 / 3, 7000u);
  EXPECT_EQ(detail<google::rpc::ErrorInfo>(status).reason(), "INVALID_REQUEST");
}

TEST(RpcStatus, TextThatIsNotUtf8IsMadeSo) {
  const grpc::Status status = to_rpc_status(invalid_field("job.\xff", "got \xc3\x28"));
  EXPECT_TRUE(is_utf8(status.error_message()));
  EXPECT_TRUE(is_utf8(detail<google::rpc::BadRequest>(status).field_violations(0).description()));
}

TEST(RpcStatus, ALongTextIsNeverCutInsideACharacter) {
  std::string text;
  while (text.size() < 5000) text += "\xe2\x82\xac";  // three bytes each
  for (size_t shift = 0; shift < 3; ++shift) {
    const grpc::Status status = to_rpc_status(absl::InternalError(std::string(shift, 'a') + text));
    EXPECT_TRUE(is_utf8(status.error_message())) << shift;
    EXPECT_LE(status.error_message().size(), 1024u);
  }
}

}  // namespace
}  // namespace fermata::frontend
