#include "services/stages/isolated/sealed_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

}  // namespace

absl::StatusOr<FileDescriptor> seal_bytes(std::string_view bytes) {
  FileDescriptor memory(::memfd_create("fermata-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.ok()) {
    return absl::ResourceExhaustedError(absl::StrCat("memfd_create: ", std::strerror(errno)));
  }
  for (std::string_view left = bytes; !left.empty();) {
    const ssize_t wrote = ::write(memory.get(), left.data(), left.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("writing ", bytes.size(), " bytes into a memfd: ", std::strerror(errno)));
    }
    left.remove_prefix(static_cast<size_t>(wrote));
  }
  if (::fcntl(memory.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0) {
    return absl::InternalError(absl::StrCat("sealing a memfd: ", std::strerror(errno)));
  }
  return memory;
}

absl::StatusOr<std::string> read_sealed(int fd, uint64_t said_bytes, uint64_t max) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return absl::InvalidArgumentError(
        absl::StrCat("a payload's memory has seals ", seals, ", expected ", kSeals));
  }
  struct stat found = {};
  if (::fstat(fd, &found) != 0 || static_cast<uint64_t>(found.st_size) != said_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("a payload's memory has ", found.st_size,
                                                   " bytes, its frame says ", said_bytes));
  }
  if (said_bytes > max) {
    return absl::InvalidArgumentError(
        absl::StrCat("a payload of ", said_bytes, " bytes, at most ", max));
  }
  std::string bytes(said_bytes, '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::InvalidArgumentError("a payload's memory cannot be read");
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace fermata
