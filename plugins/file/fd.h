// Fd: a file descriptor that closes itself. Any thread, one at a time.
#ifndef FERMATA_PLUGINS_FILE_FD_H_
#define FERMATA_PLUGINS_FILE_FD_H_

#include <unistd.h>

#include <utility>

namespace fermata::file {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace fermata::file

#endif  // FERMATA_PLUGINS_FILE_FD_H_
