#include "services/stages/isolated/crash_page.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/fatal_signals.h"

namespace fermata {
namespace {

static_assert(sizeof(CrashPage::Layout) <= 4096, "one page");
static_assert(std::atomic<uint64_t>::is_always_lock_free);

absl::StatusOr<CrashPage::Layout*> map_page(int fd) {
  void* page =
      ::mmap(nullptr, sizeof(CrashPage::Layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) {
    return absl::ResourceExhaustedError(absl::StrCat("mapping the crash page: ", strerror(errno)));
  }
  return static_cast<CrashPage::Layout*>(page);
}

CrashPage::Layout* noted_page = nullptr;

void note_crash(int signal, void* address) noexcept {
  CrashPage::Layout& page = *noted_page;
  const CurrentCall* const here = &CurrentCall::here();
  const auto index = static_cast<uint64_t>(here - page.slots.data());
  page.signal.store(static_cast<uint32_t>(signal), std::memory_order_relaxed);
  page.address.store(reinterpret_cast<uint64_t>(address), std::memory_order_relaxed);
  if (index < CrashPage::kSlots) {
    page.crashed.store(static_cast<uint32_t>(index) + 1, std::memory_order_relaxed);
  }
}

}  // namespace

absl::StatusOr<CrashPage> CrashPage::make() {
  FileDescriptor memory(::memfd_create("fermata-crash", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.ok() || ::ftruncate(memory.get(), sizeof(Layout)) != 0 ||
      ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("making the crash page: ", strerror(errno)));
  }
  absl::StatusOr<Layout*> layout = map_page(memory.get());
  if (!layout.ok()) return layout.status();
  return CrashPage(std::move(memory), *layout);
}

absl::StatusOr<CrashPage> CrashPage::map(int fd) {
  FileDescriptor memory(fd);
  struct stat found = {};
  if (::fstat(fd, &found) != 0 || static_cast<size_t>(found.st_size) < sizeof(Layout)) {
    return absl::InvalidArgumentError("what was given as the crash page is none");
  }
  absl::StatusOr<Layout*> layout = map_page(fd);
  if (!layout.ok()) return layout.status();
  return CrashPage(std::move(memory), *layout);
}

CrashPage::CrashPage(CrashPage&& other) noexcept
    : memory_(std::move(other.memory_)), layout_(std::exchange(other.layout_, nullptr)) {}

CrashPage::~CrashPage() {
  if (layout_ != nullptr) ::munmap(layout_, sizeof(Layout));
}

std::vector<uint64_t> CrashPage::suspects(bool hung) const {
  std::vector<uint64_t> calls;
  const auto ask = [&](const CurrentCall& slot) {
    if (slot.where.load(std::memory_order_relaxed) == nullptr) return;
    calls.push_back(slot.call.load(std::memory_order_relaxed));
  };
  const uint32_t crashed = layout_->crashed.load(std::memory_order_relaxed);
  if (!hung && crashed > 0 && crashed <= kSlots) {
    ask(layout_->slots[crashed - 1]);
    return calls;
  }
  // It ended without a signal of its own (exit, or killed from outside): the loop's thread first,
  // since a worker that merely works is in plugin code all the time.
  ask(layout_->slots[0]);
  for (uint32_t i = 1; i < kSlots && calls.empty() && !hung; ++i) ask(layout_->slots[i]);
  return calls;
}

void note_fatal_signals(CrashPage::Layout& page) {
  noted_page = &page;
  CurrentCall::use_slots(page.slots.data(), CrashPage::kSlots);
  (void)CurrentCall::here();  // this thread's is the first
  on_fatal_signal(&note_crash);
}

}  // namespace fermata
