// FileDescriptor: closes what it owns.
#ifndef SERVICES_STAGES_FILE_DESCRIPTOR_H_
#define SERVICES_STAGES_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace fermata {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  // Gives it away.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_FILE_DESCRIPTOR_H_
