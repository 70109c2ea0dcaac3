// CurrentCall: which plugin code a thread is in, written down before it is entered.
//
// After a crash it is the only witness. Each thread has a slot; entering costs three plain stores.
// In the server the fatal-signal handler reads its own thread's slot (crash_memory.h), and with
// plugins.state the slots lie in a file (witness_file.h). In a plugin's own process they lie in a
// page of memory that the server maps too (isolated/crash_page.h). So they outlive the process.
//
// Ordering: a slot is written by its thread and read by a signal handler on that thread, or by
// another process after this one has ended. So the stores are relaxed, and a signal fence keeps the
// compiler from moving them across the plugin's code.
#ifndef SERVICES_STAGES_CURRENT_CALL_H_
#define SERVICES_STAGES_CURRENT_CALL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace fermata {

// All zero: no plugin code runs. The addresses mean something only in the process that wrote them.
struct CurrentCall {
  std::atomic<const char*> where;  // "org.example.fetch 1.2.0 thumbnail", from name()
  std::atomic<const char*> job;    // its id; null outside of a job
  std::atomic<uint64_t> call;      // the server's number of it; 0: none

  // This thread's.
  static CurrentCall& here() noexcept {
    CurrentCall* slot = slot_;
    return slot != nullptr ? *slot : first_use();
  }
  // From now on threads that were never in a plugin take their slots here, in turn; who comes when
  // all are taken has one of its own. Once, before plugin code runs.
  static void use_slots(CurrentCall* slots, uint32_t count) noexcept;

  // The same text, at an address that stays good for as long as the process lives; the same one for
  // the same text. Any thread.
  static const char* name(std::string_view text);
  // From now on names are kept here, until it is full. Once, before the first name().
  static void use_names(char* memory, size_t bytes);

 private:
  static CurrentCall& first_use() noexcept;
  static thread_local constinit CurrentCall* slot_;
};
static_assert(std::is_trivially_destructible_v<CurrentCall> && sizeof(CurrentCall) == 24);

// While it lives this thread is in plugin code. Never nested: no host function enters a plugin.
class InPlugin {
 public:
  InPlugin(const char* where, const char* job, uint64_t call) noexcept
      : slot_(CurrentCall::here()) {
    slot_.call.store(call, std::memory_order_relaxed);
    slot_.job.store(job, std::memory_order_relaxed);
    slot_.where.store(where, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  InPlugin(const InPlugin&) = delete;
  ~InPlugin() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    slot_.where.store(nullptr, std::memory_order_relaxed);
    slot_.call.store(0, std::memory_order_relaxed);
  }

 private:
  CurrentCall& slot_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_CURRENT_CALL_H_
