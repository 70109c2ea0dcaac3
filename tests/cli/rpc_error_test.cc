#include "services/cli/rpc_error.h"

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "services/config/json.h"

namespace fermata::cli {
namespace {

using testing::HasSubstr;

template <typename... Details>
grpc::Status rich_status(grpc::StatusCode code, const char* message, const Details&... details) {
  google::rpc::Status rich;
  rich.set_code(code);
  (rich.add_details()->PackFrom(details), ...);
  return {code, message, rich.SerializeAsString()};
}

google::rpc::ErrorInfo info(const char* reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  (*info.mutable_metadata())["pipeline"] = "scrap";
  return info;
}

TEST(RpcError, SaysReasonFieldsAndWhenToTryAgain) {
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("job.input");
  violation->set_description("/urls: expected array, got string");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  const RpcError error = describe(rich_status(grpc::StatusCode::INVALID_ARGUMENT, "bad input",
                                              info("INVALID_REQUEST"), bad, retry),
                                  "here:1");
  EXPECT_EQ(error.exit, ExitCode::kRefused);
  EXPECT_EQ(error.text,
            "INVALID_ARGUMENT: bad input [INVALID_REQUEST]\n"
            "  job.input: /urls: expected array, got string\n"
            "  try again in 2.0s");
  ASSERT_TRUE(parse_json(error.json).ok()) << error.json;
  EXPECT_THAT(error.json, HasSubstr(R"("reason":"INVALID_REQUEST")"));
  EXPECT_THAT(error.json, HasSubstr(R"("retry_delay":"2s")"));
}

TEST(RpcError, TellsANonExistingServerFromOneThatIsDraining) {
  const RpcError nobody =
      describe({grpc::StatusCode::UNAVAILABLE, "connection refused"}, "127.0.0.1:7450");
  EXPECT_EQ(nobody.exit, ExitCode::kUnreachable);
  EXPECT_THAT(nobody.text, HasSubstr("no answer from a fermatad at 127.0.0.1:7450"));
  const RpcError draining =
      describe(rich_status(grpc::StatusCode::UNAVAILABLE, "shutting down", info("DRAINING")), "x");
  EXPECT_EQ(draining.text, "UNAVAILABLE: shutting down [DRAINING]");
}

TEST(RpcError, NeverPrintsWhatCouldDriveATerminal) {
  EXPECT_THAT(describe({grpc::StatusCode::NOT_FOUND, "\x1b[2J"}, "x").text, HasSubstr("?[2J"));
}

TEST(RpcError, GivesEachKindOfFailureItsExitCode) {
  const auto exit = [](grpc::StatusCode code) { return describe({code, ""}, "x").exit; };
  EXPECT_EQ(exit(grpc::StatusCode::NOT_FOUND), ExitCode::kRefused);
  EXPECT_EQ(exit(grpc::StatusCode::RESOURCE_EXHAUSTED), ExitCode::kRefused);
  EXPECT_EQ(exit(grpc::StatusCode::DEADLINE_EXCEEDED), ExitCode::kUnreachable);
  EXPECT_EQ(exit(grpc::StatusCode::INTERNAL), ExitCode::kInternal);
  EXPECT_EQ(code_name(5), "NOT_FOUND");
  EXPECT_EQ(code_name(99), "99");
}

}  // namespace
}  // namespace fermata::cli
