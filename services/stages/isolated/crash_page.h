// CrashPage: what a plugin's process leaves behind: which call each of its threads was in, and
// which thread died.
//
// One page of a memfd, made by the server, sealed against changes of its size (so reading it cannot
// fault), mapped by both. No lock and no pointer of the server's is in it: everything read from it
// was written by a process that has gone wrong, so it is a hint, bounded by what the server knows
// itself (a call that is not in flight is not believed).
#ifndef SERVICES_STAGES_ISOLATED_CRASH_PAGE_H_
#define SERVICES_STAGES_ISOLATED_CRASH_PAGE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "services/stages/current_call.h"
#include "services/stages/file_descriptor.h"

namespace fermata {

class CrashPage {
 public:
  static constexpr uint32_t kSlots = 64;
  struct Layout {
    std::atomic<uint32_t> crashed;  // 1 + the slot of the thread that died by a signal; 0: unknown
    std::atomic<uint32_t> signal;   // that signal
    std::atomic<uint64_t> address;  // what it touched, if it was a fault
    std::array<CurrentCall, kSlots> slots;  // the first is the loop's
  };

  // Server.
  static absl::StatusOr<CrashPage> make();
  // The plugin's process: what it was given.
  static absl::StatusOr<CrashPage> map(int fd);
  CrashPage(CrashPage&& other) noexcept;
  CrashPage& operator=(CrashPage&&) = delete;
  ~CrashPage();

  int fd() const { return memory_.get(); }
  Layout& layout() const { return *layout_; }

  // Server, after the process has ended: the calls that it probably died in; `hung`: it was the
  // loop that did not come back. Zero stands for code outside of any call. Unchecked.
  std::vector<uint64_t> suspects(bool hung) const;

 private:
  CrashPage(FileDescriptor memory, Layout* layout) : memory_(std::move(memory)), layout_(layout) {}
  FileDescriptor memory_;
  Layout* layout_;
};

// The plugin's process: fatal signals note themselves in the page, then do what they always did.
// Once; takes an alternative stack for this thread, so that an overflow is noted too.
void note_fatal_signals(CrashPage::Layout& page);

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_CRASH_PAGE_H_
