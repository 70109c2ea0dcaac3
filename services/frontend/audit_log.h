// AuditLog: who did what, one JSON object a line. What changes something (submit, run, cancel,
// delete), and whoever was refused for who they are.
//
//   {"time":"...","method":"Jobs.Cancel","outcome":"OK","principal":"team-a",
//    "credential":"token 4f2a...","peer":"ipv4:10.0.0.7:41822","resource":"jobs/0192..."}
//
// Payloads, tokens and labels are never in it. Every text is a JSON string, so no client can forge
// a line or drive a terminal; each is cut at kMaxText bytes.
//
// Bounded in every direction: lines wait in at most kMaxBuffer bytes until the writer takes them,
// and what does not fit, or what a full disk refuses, is counted in a line of its own later; files
// turn over at `file_bytes`; refusals are at most kRefusalsPerSecond after a burst, and how many
// were left out is said too, so that a flood of bad tokens cannot fill the disk or push out what
// matters.
//
// record() may be called on any thread, and never blocks on the disk: a mutex guards the buffer for
// the time of an append. write() is called by one thread at a time, of the pool.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::frontend {

struct AuditOptions {
  std::string to;  // a file, or "stderr"
  uint64_t file_bytes = uint64_t{64} << 20;
  int files = 4;  // the one being written, and file.1, file.2, ... the older the higher
};

struct AuditEvent {
  std::string_view method;
  std::string_view outcome;  // a code: "OK", "NOT_FOUND"
  std::string_view reason;   // of a refusal
  std::string_view principal;
  std::string_view credential;
  std::string_view peer;
  std::string_view resource;
  std::string_view queue;
  std::string_view work;
  bool refusal = false;  // for who it is: rate-limited
};

class AuditLog {
 public:
  static constexpr size_t kMaxText = 256;
  static constexpr size_t kMaxBuffer = size_t{1} << 20;
  static constexpr int kRefusalsPerSecond = 20;
  static constexpr int kRefusalsBurst = 200;

  // An error names the file and the reason.
  static absl::StatusOr<std::unique_ptr<AuditLog>> open(const AuditOptions& options);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;

  void record(const AuditEvent& event, absl::Time now);

  // Writes what has been recorded; on a thread that may block. The error of a disk is told once,
  // and again after it has worked in between; the lines are then lost, and counted.
  absl::Status write();

  uint64_t lost() const;  // lines, so far

 private:
  AuditLog(AuditOptions options, int fd, uint64_t size);

  bool take_refusal(absl::Time now);   // with mutex_ held
  void append(std::string_view line);  // with mutex_ held
  absl::Status write_all(std::string_view text);
  void turn_over();

  const AuditOptions options_;
  mutable std::mutex mutex_;
  std::string buffer_;         // guarded by mutex_
  size_t buffered_lines_ = 0;  // guarded by mutex_
  uint64_t lost_ = 0;          // guarded by mutex_
  uint64_t lost_told_ = 0;     // guarded by mutex_
  uint64_t left_out_ = 0;      // guarded by mutex_; refusals since the last one that was let in
  double refusals_ = kRefusalsBurst;            // guarded by mutex_; a token bucket
  absl::Time refilled_ = absl::InfinitePast();  // guarded by mutex_

  int fd_;                // the writer's
  uint64_t size_;         // the writer's
  bool failing_ = false;  // the writer's
};

}  // namespace fermata::frontend
