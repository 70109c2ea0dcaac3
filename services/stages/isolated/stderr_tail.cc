#include "services/stages/isolated/stderr_tail.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace fermata {
namespace {

constexpr size_t kReadBytes = 4096;
// More than a pipe holds: what is there when the writer is gone is read to its end.
constexpr int kDrainReads = 64;

}  // namespace

StderrTail::StderrTail(Loop& loop, int pipe, std::function<void(std::string_view line)> heard)
    : loop_(loop), pipe_(pipe), heard_(std::move(heard)) {}

StderrTail::~StderrTail() {
  if (watch_.waiting) loop_.unwatch(watch_);
}

void StderrTail::open() { read_some(); }

void StderrTail::readable(IoWatch& watch) noexcept {
  auto& own = static_cast<Watch&>(watch);
  own.waiting = false;
  own.tail.read_some();
}

void StderrTail::again(Timer& timer) noexcept { static_cast<Again&>(timer).tail.read_some(); }

// One read a turn: a plugin that prints without end gets its share and no more.
void StderrTail::read_some() {
  if (!pipe_.is_open()) return;
  if (read_once()) {
    loop_.timers().arm(again_, loop_.now_ns());
    return;
  }
  if (!pipe_.is_open()) return;
  const int error = pipe_.watch(watch_);
  watch_.waiting = error == 0;
  if (error == EALREADY) loop_.timers().arm(again_, loop_.now_ns());
}

void StderrTail::drain() {
  for (int i = 0; i < kDrainReads && pipe_.is_open() && read_once(); ++i) {
  }
  if (!line_.empty()) end_line();
}

bool StderrTail::read_once() {
  std::array<char, kReadBytes> bytes;
  pipe_.clear_news(IoWatch::Interest::kRead);
  const ssize_t got = ::read(pipe_.fd(), bytes.data(), bytes.size());
  if (got > 0) {
    take({bytes.data(), static_cast<size_t>(got)});
    return true;
  }
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (std::exchange(watch_.waiting, false)) loop_.unwatch(watch_);
  pipe_.close();
  return false;
}

void StderrTail::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    const std::string_view part = bytes.substr(0, newline);
    line_.append(part.substr(0, kLineBytes - std::min(kLineBytes, line_.size())));
    if (newline == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(newline + 1);
  }
}

void StderrTail::end_line() {
  if (heard_) heard_(line_);
  lines_.push_back(std::exchange(line_, {}));
  if (lines_.size() > kLines) lines_.pop_front();
}

}  // namespace fermata
