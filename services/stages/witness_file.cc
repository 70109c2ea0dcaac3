#include "services/stages/witness_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/stages/current_call.h"
#include "services/stages/file_descriptor.h"

namespace fermata {
namespace {

constexpr uint32_t kSlots = 64;
constexpr uint64_t kMagic = 0x31'57'41'54'4d'52'45'46;  // the layout's version is its last byte

struct Layout {
  uint64_t magic;
  uint64_t base;  // where it was mapped: what the slots' addresses are relative to
  std::array<CurrentCall, kSlots> slots;  // the first is the loop's
  std::array<char, 62 << 10> names;
};

absl::Status failed(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("plugins.state: ", path, ": ", std::strerror(errno)));
}

// The name that a slot points to, if it points to one.
std::string name_in(const Layout& layout, const CurrentCall& slot) {
  const auto address = reinterpret_cast<uint64_t>(slot.where.load(std::memory_order_relaxed));
  const uint64_t first = layout.base + offsetof(Layout, names);
  if (address < first || address - first >= layout.names.size()) return "";
  const char* const name = layout.names.data() + (address - first);
  return {name, ::strnlen(name, layout.names.size() - (address - first))};
}

std::string where_it_was(int fd) {
  const auto before = std::make_unique<Layout>();
  const ssize_t got = ::pread(fd, before.get(), sizeof(Layout), 0);
  if (got != static_cast<ssize_t>(sizeof(Layout)) || before->magic != kMagic) return "";
  // The loop first: a worker that merely works is in plugin code all the time.
  for (const CurrentCall& slot : before->slots) {
    if (std::string name = name_in(*before, slot); !name.empty()) return name;
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> open_witness_file(const std::string& path) {
  std::string before;
  if (const FileDescriptor old(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)); old.ok()) {
    before = where_it_was(old.get());
  }
  // Another file under the same name: if a process still has the old one, it keeps it whole.
  const std::string fresh = path + ".new";
  const FileDescriptor file(
      ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.ok()) return failed(fresh);
  // Its blocks are there from now on: a full disk must not be a SIGBUS later.
  if (const int error = ::posix_fallocate(file.get(), 0, sizeof(Layout)); error != 0) {
    errno = error;
    return failed(fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed(path);
  // For as long as the process lives.
  void* const memory =
      ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return failed(path);
  auto* const layout = static_cast<Layout*>(memory);
  layout->magic = kMagic;
  layout->base = reinterpret_cast<uint64_t>(memory);
  CurrentCall::use_slots(layout->slots.data(), kSlots);
  CurrentCall::use_names(layout->names.data(), layout->names.size());
  (void)CurrentCall::here();  // this thread's is the first
  return before;
}

}  // namespace fermata
