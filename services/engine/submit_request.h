// SubmitRequest: what a client wants run, and the rules it must keep. The rules are those of
// proto/fermata/v1/jobs.proto; they are checked here so that every way in keeps them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/engine/engine_limits.h"
#include "services/store/job_record.h"

namespace fermata {

// Exactly one of pipeline, pipeline_yaml and stage.
struct SubmitRequest {
  std::string pipeline;
  std::string pipeline_yaml;
  std::string stage;  // "http/get"; called with the input as it is
  std::string input;  // UTF-8 JSON text; empty: {}
  Labels labels;
  std::string queue;  // empty: "default"
  int32_t priority = 0;
  std::string request_id;     // empty: none
  std::string request_scope;  // whose id it is; empty where nobody is asked who they are
  absl::Duration timeout = absl::InfiniteDuration();  // of the whole job, from now
};

// INVALID_REQUEST or PAYLOAD_TOO_LARGE, naming the field. Does not look into the input.
absl::Status check_request(const SubmitRequest& request, const EngineLimits& limits);

// What a repeat of a request is known by. Both parts are stored with the job, so they must not
// change between versions.
struct RequestKey {
  std::string id;            // with its scope: two scopes never give the same
  uint64_t fingerprint = 0;  // tells a different job with the same id
};
// Empty without a request id.
RequestKey request_key(const SubmitRequest& request);

}  // namespace fermata
