#include "services/async/io.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace fermata {

void IoReady::start() noexcept {
  const int error = Loop::current().watch(*this);
  if (error == 0) {
    watching_ = true;
    return;
  }
  if (error != EPERM) error_ = error;  // EPERM: a file, always ready
  wake();
}

void IoReady::on_ready(IoWatch& watch) noexcept {
  IoReady& self = static_cast<IoReady&>(watch);
  self.watching_ = false;
  self.wake();
}

absl::Status IoReady::await_resume() const {
  if (error_ == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cannot wait for descriptor ", fd, ": ",
                                                 std::strerror(error_),
                                                 "; pass an open socket, pipe or file"));
}

}  // namespace fermata
