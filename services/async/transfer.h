// How a coroutine hands control to another one when it suspends.
//
// Symmetric transfer (return the handle from await_suspend) is a tail call, and costs nothing,
// where the compiler guarantees tail calls. clang always does. g++ does with
// -foptimize-sibling-calls, which is on at -O2 and is set for every g++ build here, but not under
// its sanitizers, where a loop of a million awaits would overflow the stack. Those builds park the
// handle in the loop instead, and the loop's step resumes it when the suspended coroutine has
// returned (2 ns more).
//
// The choice is made here, once.
#ifndef SERVICES_ASYNC_TRANSFER_H_
#define SERVICES_ASYNC_TRANSFER_H_

#include <coroutine>
#include <utility>

#include "services/async/loop.h"

#if !defined(__clang__) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
                            (!defined(__OPTIMIZE__) && defined(FERMATA_NO_SIBLING_CALLS)))
#define FERMATA_TRANSFER_POLICY trampoline
#else
#define FERMATA_TRANSFER_POLICY symmetric
#endif

namespace fermata::detail {

namespace symmetric {
inline std::coroutine_handle<> transfer(std::coroutine_handle<> next) noexcept {
  return next != nullptr ? next : std::noop_coroutine();
}
inline void run_transfers(Loop&) noexcept {}
}  // namespace symmetric

namespace trampoline {
inline std::coroutine_handle<> transfer(std::coroutine_handle<> next) noexcept {
  Loop::current().next_transfer = next;
  return std::noop_coroutine();
}
inline void run_transfers(Loop& loop) noexcept {
  while (loop.next_transfer != nullptr) std::exchange(loop.next_transfer, nullptr).resume();
}
}  // namespace trampoline

using FERMATA_TRANSFER_POLICY::run_transfers;
using FERMATA_TRANSFER_POLICY::transfer;

}  // namespace fermata::detail

#endif  // SERVICES_ASYNC_TRANSFER_H_
