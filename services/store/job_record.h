// JobRecord: everything there is to know of one job at one moment. What the store keeps, what the
// engine's answers carry, and what a job is resumed from after a crash.
//
//   JobRecord ── changes with every transition; `sequence` says which of two is newer
//     └ spec  ── what was submitted; shared by all records of the job, never changes
//
// A record is made by the engine, handed out as shared_ptr<const JobRecord> and from then on
// immutable, so any thread may read it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/store/job_state.h"

namespace fermata {

using Labels = std::map<std::string, std::string>;

struct JobSpec {
  std::string id;  // UUIDv7 text: ids sort by creation
  // What it runs: a pipeline by name, or a bare stage ("http/get"); exactly one is set.
  std::string pipeline;
  std::string pipeline_version;  // content hash; empty for a bare stage
  std::string pipeline_yaml;     // only when it was sent inline
  std::string stage;
  std::string input;  // UTF-8 JSON text
  std::string queue = "default";
  Labels labels;
  int32_t priority = 0;
  std::string request_id;    // with whose it is, see RequestKey; empty: none
  uint64_t fingerprint = 0;  // of the request; tells a repeated request from a different one
  absl::Time create_time;
  absl::Time deadline = absl::InfiniteFuture();  // then it ends EXPIRED
};

// Why a job did not succeed.
struct JobError {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string message;
  std::string stage;  // empty: none of them
  int attempts = 0;   // of that stage's call
};

struct StageProgress {
  std::string name;
  StageState state = StageState::kWaiting;
  int64_t total = 0;                             // calls: the items of `each`, or 1; 0 until known
  int64_t done = 0;                              // calls that ended, well or not
  int64_t failed = 0;                            // of those, the ones that failed for good
  int64_t retries = 0;                           // attempts beyond the first, over all calls
  absl::Time start_time = absl::InfinitePast();  // infinite past: not yet
  absl::Time end_time = absl::InfinitePast();
  // Which versions of the plugin ran its attempts, in the order of their first: "1.2.0+9f2c71ab",
  // joined by ", ". At most kVersionsMax bytes: beyond, later ones are not noted.
  static constexpr size_t kVersionsMax = 256;
  std::string versions;
  // JSON text, once the stage succeeded; a resumed job does not run it again. Dropped when the job
  // ends.
  std::shared_ptr<const std::string> output;
  // Of a stage with `if_lost: fail`: its code may have been entered, and its end is not stored, so
  // it is never entered again. False once the job has ended.
  bool begun = false;
};

struct JobRecord {
  std::shared_ptr<const JobSpec> spec;
  JobState state = JobState::kUnspecified;
  // Finer than state, UPPER_SNAKE; the words are listed in services/engine/README.md.
  std::string reason;
  int64_t sequence = 0;                          // of the latest event
  absl::Time start_time = absl::InfinitePast();  // infinite past: not yet
  absl::Time end_time = absl::InfinitePast();
  std::optional<JobError> error;              // of a FAILED, CANCELLED or EXPIRED job
  std::shared_ptr<const std::string> result;  // JSON text, of a SUCCEEDED job
  std::vector<StageProgress> stages;          // in the pipeline's order

  const std::string& id() const { return spec->id; }
  bool finished() const { return is_finished(state); }
};

using JobView = std::shared_ptr<const JobRecord>;

// What a record holds in memory, about: payloads plus a constant per object.
size_t bytes_of(const JobSpec& spec);
size_t bytes_of(const JobRecord& record);

}  // namespace fermata
