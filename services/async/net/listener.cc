#include "services/async/net/listener.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "services/async/net/io_error.h"

namespace fermata {
namespace {

// Of the connection that was to be accepted, not of the listener: accept(2), "Error handling".
bool concerns_one_connection(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:  // a firewall's
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

bool Listener::Accept::attempt() noexcept {
  do {
    error_ = acceptor_->try_accept(accepted_);
  } while (concerns_one_connection(error_));
  return error_ != EAGAIN && !is_shortage(error_);
}

void Listener::Accept::go_on() noexcept {
  do {
    if (attempt()) return wake_given();
    if (is_shortage(error_)) {
      Loop& loop = Loop::current();
      return loop.timers().arm(*this, loop.deadline_after(kBackOff));
    }
    error_ = acceptor_->start_waiting(*this);
  } while (error_ == EALREADY);
  waiting_ = error_ == 0;
  if (!waiting_) wake();
}

void Listener::Accept::leave() noexcept {
  if (armed()) disarm();
  if (std::exchange(waiting_, false)) acceptor_->stop_waiting(*this);
}

void Listener::Accept::on_ready(IoWatch& watch) noexcept {
  Accept& self = static_cast<Accept&>(watch);
  self.waiting_ = false;
  self.acceptor_->waiting_over(watch);
  self.go_on();
}

absl::StatusOr<Stream> Listener::Accept::await_resume() {
  if (error_ == 0) return Stream(std::move(accepted_));
  return io_error(error_, absl::StrCat("accept connections at ", acceptor_->local().to_string()));
}

}  // namespace fermata
