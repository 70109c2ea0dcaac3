// What a test asks of an error that came over the wire.
#pragma once

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"
#include "gtest/gtest.h"

namespace fermata::frontend {

// The one detail of that type; a failure when there is none.
template <class T>
T detail(const grpc::Status& status) {
  google::rpc::Status all;
  EXPECT_TRUE(all.ParseFromString(status.error_details()));
  T out;
  int found = 0;
  for (const auto& any : all.details()) found += any.UnpackTo(&out) ? 1 : 0;
  EXPECT_EQ(found, 1) << T::descriptor()->full_name() << " in " << all.DebugString();
  return out;
}

// Code and reason, and what every error must have.
inline void expect_error(const grpc::Status& status, grpc::StatusCode code,
                         const std::string& reason) {
  EXPECT_EQ(status.error_code(), code) << status.error_message();
  EXPECT_FALSE(status.error_message().empty());
  const auto info = detail<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.domain(), "fermata.dev");
  EXPECT_EQ(info.reason(), reason) << status.error_message();
}

// INVALID_ARGUMENT about exactly that field.
inline void expect_bad_field(const grpc::Status& status, const std::string& field,
                             const std::string& reason = "INVALID_REQUEST") {
  expect_error(status, grpc::StatusCode::INVALID_ARGUMENT, reason);
  const auto bad = detail<google::rpc::BadRequest>(status);
  ASSERT_EQ(bad.field_violations_size(), 1) << bad.DebugString();
  EXPECT_EQ(bad.field_violations(0).field(), field) << bad.DebugString();
}

}  // namespace fermata::frontend
