// SyscallFilter: system calls that no stage needs and exploits of the kernel begin with.
//
// A deny-list, since an allow-list breaks the libraries that plugins bring; and it answers EPERM
// instead of killing, since some libraries try such a call and go on without it.
#ifndef SERVICES_STAGES_ISOLATED_SYSCALL_FILTER_H_
#define SERVICES_STAGES_ISOLATED_SYSCALL_FILTER_H_

#include "absl/status/status.h"

namespace fermata {

// For this thread and those it starts, for ever; needs no_new_privs.
absl::Status deny_dangerous_syscalls();

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_SYSCALL_FILTER_H_
