// reap: takes a child that has ended off the kernel's list, without waiting for anybody else.
//
// A zombie that some other process traces is not ours to take until that one lets go of it, and to
// wait for it would be to wait for a stranger. Its number is remembered, once for this process, and
// tried again at every later call. Any thread.
#ifndef SERVICES_ASYNC_PROCESS_REAP_H_
#define SERVICES_ASYNC_PROCESS_REAP_H_

#include <sys/types.h>

#include <optional>

namespace fermata {

// The wait status of `pid`, as of waitpid(2); nothing: a tracer has it. `pid` is a child of this
// process that nobody has waited for, which has ended or was sent SIGKILL: this waits, in the
// kernel, for the moment until it has. `pidfd` is its pidfd; -1: there is none.
std::optional<int> reap(pid_t pid, int pidfd) noexcept;

}  // namespace fermata

#endif  // SERVICES_ASYNC_PROCESS_REAP_H_
