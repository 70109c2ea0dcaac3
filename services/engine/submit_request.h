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
  std::string request_id;                             // empty: none
  absl::Duration timeout = absl::InfiniteDuration();  // of the whole job, from now
};

// INVALID_REQUEST or PAYLOAD_TOO_LARGE, naming the field. Does not look into the input.
absl::Status check_request(const SubmitRequest& request, const EngineLimits& limits);

// Tells a repeated request from a different one with the same request id. Stored with the job, so
// it must not change between versions.
uint64_t fingerprint_of(const SubmitRequest& request);

}  // namespace fermata
