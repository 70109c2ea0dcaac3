#include "services/async/io.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace fermata {

void IoReady::start() noexcept {
  const int refused = Loop::current().watch(*this);
  if (refused == 0) {
    watching_ = true;
    return;
  }
  if (refused != EPERM && refused != EALREADY) error = refused;
  wake();
}

void IoReady::on_ready(IoWatch& watch) noexcept {
  IoReady& self = static_cast<IoReady&>(watch);
  self.watching_ = false;
  self.wake();
}

absl::Status IoReady::await_resume() const {
  if (error == 0) {
    if (mode == Mode::kEdge) Loop::current().clear_news(fd, interest);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("cannot wait for descriptor ", fd, ": ",
                                                 std::strerror(error),
                                                 "; pass an open socket, pipe or file"));
}

}  // namespace fermata
