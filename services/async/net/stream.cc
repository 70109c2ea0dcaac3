#include "services/async/net/stream.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "services/async/net/io_error.h"

namespace fermata {
namespace detail {

bool Transfer::attempt() noexcept {
  if (size_ == 0) return true;
  for (;;) {
    const std::ptrdiff_t moved =
        interest == Interest::kRead
            ? transport_->try_recv(std::span<char>(data_, size_))
            : transport_->try_send(std::string_view(data_ + done_, size_ - done_));
    if (moved == -EAGAIN) return false;
    if (moved < 0) {
      error_ = static_cast<int>(-moved);
      return true;
    }
    done_ += static_cast<std::size_t>(moved);
    if (until_ == Until::kSome || done_ == size_) return true;
  }
}

// The first bytes go with what the others send in this turn, where the loop does that.
void Transfer::begin() noexcept {
  if (interest == Interest::kWrite && size_ != 0 && Loop::current().batches_sends()) {
    waiting_ = transport_->start_sending(*this, std::string_view(data_, size_));
    if (waiting_) return;
  }
  go_on();
}

// Tries once more before it waits: it may have come here because its budget was spent.
void Transfer::go_on() noexcept {
  int refused = 0;
  do {
    if (attempt()) return wake_given();
    refused = transport_->start_waiting(*this);
  } while (refused == EALREADY);
  waiting_ = refused == 0;
  if (waiting_) return;
  error_ = refused;
  wake();
}

void Transfer::on_ready(IoWatch& watch) noexcept {
  Transfer& self = static_cast<Transfer&>(watch);
  self.waiting_ = false;
  self.transport_->waiting_over(watch);
  if (watch.mode == Mode::kSend && watch.error != EAGAIN) return self.sent_soon();
  self.go_on();
}

void Transfer::sent_soon() noexcept {
  error_ = error;
  done_ = static_cast<std::size_t>(sent);
  if (error_ != 0) return wake();
  if (until_ == Until::kSome || done_ == size_) return wake_given();
  go_on();
}

absl::Status Transfer::failure() const {
  const char* what = interest == Interest::kRead ? "read from " : "write to ";
  return io_error(error_, absl::StrCat(what, transport_->peer().to_string()));
}

}  // namespace detail

absl::Status Stream::shutdown_write() {
  const int error = transport().shutdown_write();
  if (error == 0) return absl::OkStatus();
  return io_error(error, absl::StrCat("end the stream to ", peer().to_string()));
}

absl::Status Stream::set_no_delay(bool on) {
  const int error = transport().set_no_delay(on);
  if (error == 0) return absl::OkStatus();
  return io_error(error, absl::StrCat("set TCP_NODELAY of ", peer().to_string()));
}

}  // namespace fermata
