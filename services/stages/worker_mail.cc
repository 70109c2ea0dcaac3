#include "services/stages/worker_mail.h"

#include <utility>

#include "services/stages/loaded_plugin.h"

namespace fermata {

FailureDetail FailureDetail::copy_of(const fermata_failure& failure) {
  constexpr size_t kMaxMessage = 4096;  // bytes
  FailureDetail detail;
  detail.message = std::string(view_of(failure.message).substr(0, kMaxMessage));
  detail.code = failure.code;
  if (FERMATA_HAS(fermata_failure, &failure, retry_after_ns))
    detail.retry_after_ns = failure.retry_after_ns;
  return detail;
}

bool WorkerMail::note_posted() { return !std::exchange(in_post_, true); }

bool WorkerMail::progress(double fraction, std::string_view note) {
  std::lock_guard lock(mutex_);
  letter_.fraction = fraction;
  letter_.note = std::string(note);
  return note_posted();
}

bool WorkerMail::log(uint32_t level, std::string_view message) {
  std::lock_guard lock(mutex_);
  if (letter_.logs.size() < kMaxLogs) {
    letter_.logs.push_back({level, std::string(message)});
  } else {
    ++letter_.logs_dropped;
  }
  return note_posted();
}

bool WorkerMail::fail(FailureDetail failure) {
  std::lock_guard lock(mutex_);
  letter_.failure = std::move(failure);
  return note_posted();
}

WorkerMail::Letter WorkerMail::take(Taker taker) {
  std::lock_guard lock(mutex_);
  if (taker == Taker::kNote) in_post_ = false;
  return std::exchange(letter_, Letter{});
}

}  // namespace fermata
