#include "services/frontend/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::frontend {
namespace {

constexpr std::string_view kStderr = "stderr";
constexpr size_t kCut = 3;  // the dots that say that there was more
constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

void add_member(std::string* line, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  str_append(line, ",\"", key, "\":", json_quote(utf8_preview(value, AuditLog::kMaxText - kCut)));
}

std::string stamp(absl::Time now) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", now, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::open(const AuditOptions& options) {
  if (options.to == kStderr) {
    return std::unique_ptr<AuditLog>(new AuditLog(options, STDERR_FILENO, 0));
  }
  const int fd = ::open(options.to.c_str(), kFlags, 0600);
  struct stat found = {};
  if (fd < 0 || ::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
    const std::string why = fd < 0 ? std::strerror(errno) : "it is no regular file";
    if (fd >= 0) ::close(fd);
    return absl::UnavailableError(
        str_cat("audit.to: expected a file that can be written, got ", options.to, ": ", why));
  }
  return std::unique_ptr<AuditLog>(new AuditLog(options, fd, static_cast<uint64_t>(found.st_size)));
}

AuditLog::AuditLog(AuditOptions options, int fd, uint64_t size)
    : options_(std::move(options)), fd_(fd), size_(size) {}

AuditLog::~AuditLog() {
  if (fd_ != STDERR_FILENO) ::close(fd_);
}

void AuditLog::record(const AuditEvent& event, absl::Time now) {
  uint64_t left_out = 0;
  if (event.refusal) {
    // First, so that a flood costs no more than this.
    const std::scoped_lock lock(mutex_);
    if (!take_refusal(now)) {
      ++left_out_;
      return;
    }
    left_out = std::exchange(left_out_, 0);
  }
  const std::string time = stamp(now);
  std::string text;
  if (left_out != 0) {
    text = str_cat("{\"time\":\"", time, "\",\"refusals_left_out\":", left_out, "}\n");
  }
  // In the order in which somebody reads: when, what, how it went, who.
  str_append(&text, "{\"time\":\"", time, "\"");
  add_member(&text, "method", event.method);
  add_member(&text, "outcome", event.outcome);
  add_member(&text, "reason", event.reason);
  add_member(&text, "principal", event.principal);
  add_member(&text, "credential", event.credential);
  add_member(&text, "peer", event.peer);
  add_member(&text, "resource", event.resource);
  add_member(&text, "queue", event.queue);
  add_member(&text, "work", event.work);
  text += "}\n";
  const std::scoped_lock lock(mutex_);
  append(text);
}

bool AuditLog::take_refusal(absl::Time now) {
  if (now > refilled_) {
    const double seconds = absl::ToDoubleSeconds(now - std::max(refilled_, now - absl::Hours(1)));
    refusals_ = std::min<double>(kRefusalsBurst, refusals_ + seconds * kRefusalsPerSecond);
    refilled_ = now;
  }
  if (refusals_ < 1) return false;
  refusals_ -= 1;
  return true;
}

void AuditLog::append(std::string_view line) {
  if (buffer_.size() + line.size() > kMaxBuffer) {
    ++lost_;
    return;
  }
  buffer_ += line;
  ++buffered_lines_;
}

absl::Status AuditLog::write() {
  std::string text;
  size_t lines = 0;
  uint64_t lost = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (buffer_.empty() && lost_ == lost_told_) return absl::OkStatus();
    text.swap(buffer_);
    lines = std::exchange(buffered_lines_, 0);
    lost = lost_ - lost_told_;
  }
  if (lost != 0) str_append(&text, "{\"lines_lost\":", lost, "}\n");
  absl::Status status = write_all(text);
  {
    const std::scoped_lock lock(mutex_);
    if (status.ok()) {
      lost_told_ += lost;
    } else {
      lost_ += lines;
    }
  }
  const bool told = std::exchange(failing_, !status.ok());
  return told ? absl::OkStatus() : status;
}

absl::Status AuditLog::write_all(std::string_view text) {
  if (options_.to != kStderr && size_ + text.size() > options_.file_bytes) turn_over();
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd_, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      return absl::UnavailableError(str_cat("audit.to: cannot write to ", options_.to, ": ",
                                            std::strerror(errno),
                                            "; its lines are lost until it "
                                            "can be written again"));
    }
    size_ += static_cast<uint64_t>(wrote);
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

void AuditLog::turn_over() {
  if (size_ == 0) return;  // one batch is more than a file: it gets one for itself
  const auto name = [this](int age) {
    return age == 0 ? options_.to : str_cat(options_.to, ".", age);
  };
  // The new file first: without room for it nothing is moved, and the old one goes on.
  const std::string fresh = options_.to + ".new";
  const int fd = ::open(fresh.c_str(), kFlags | O_TRUNC, 0600);
  if (fd < 0) return;
  for (int age = options_.files - 1; age > 0; --age) {
    std::rename(name(age - 1).c_str(), name(age).c_str());
  }
  std::rename(fresh.c_str(), options_.to.c_str());
  ::close(std::exchange(fd_, fd));
  size_ = 0;
}

uint64_t AuditLog::lost() const {
  const std::scoped_lock lock(mutex_);
  return lost_;
}

}  // namespace fermata::frontend
