#include "services/async/descriptor.h"

#include <unistd.h>

namespace fermata {

// The number may have belonged to a Descriptor that was closed outside run(), where it could not
// tell the loop.
void Descriptor::attach_slow() noexcept {
  Loop& loop = Loop::current();
  if (fd_ >= 0) loop.forget(fd_);
  loop_ = &loop;
}

void Descriptor::detach() noexcept {
  Loop* loop = Loop::current_or_null();
  if (loop != nullptr && loop == loop_) loop->forget(fd_);
  loop_ = nullptr;
}

void Descriptor::close() noexcept {
  if (fd_ < 0) return;
  detach();
  ::close(std::exchange(fd_, -1));
}

int Descriptor::release() noexcept {
  if (fd_ >= 0) detach();
  return std::exchange(fd_, -1);
}

}  // namespace fermata
