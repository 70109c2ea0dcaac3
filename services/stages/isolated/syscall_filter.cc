#include "services/stages/isolated/syscall_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = AUDIT_ARCH_AARCH64;
#elif defined(__riscv)
constexpr unsigned kMachine = AUDIT_ARCH_RISCV64;
#else
#error "name this machine here"
#endif

constexpr int kDenied[] = {SYS_io_uring_setup,
                           SYS_io_uring_enter,
                           SYS_io_uring_register,  // go past these filters
                           SYS_ptrace,
                           SYS_process_vm_readv,
                           SYS_process_vm_writev,
                           SYS_pidfd_getfd,
                           SYS_kcmp,
                           SYS_bpf,
                           SYS_perf_event_open,
                           SYS_userfaultfd,
                           SYS_mount,
                           SYS_umount2,
                           SYS_pivot_root,
                           SYS_chroot,
                           SYS_open_tree,
                           SYS_move_mount,
                           SYS_fsopen,
                           SYS_fsconfig,
                           SYS_fsmount,
                           SYS_fspick,
                           SYS_mount_setattr,
                           SYS_setns,
                           SYS_unshare,
                           SYS_keyctl,
                           SYS_add_key,
                           SYS_request_key,
                           SYS_init_module,
                           SYS_finit_module,
                           SYS_delete_module,
                           SYS_kexec_load,
                           SYS_kexec_file_load,
                           SYS_reboot,
                           SYS_swapon,
                           SYS_swapoff,
                           SYS_acct,
                           SYS_settimeofday,
                           SYS_clock_settime,
                           SYS_open_by_handle_at,
                           SYS_personality};

constexpr sock_filter kAllow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
constexpr sock_filter kDeny = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);

}  // namespace

absl::Status deny_dangerous_syscalls() {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kMachine, 1, 0),
      kDeny,  // a 32-bit call, whose numbers mean something else
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
#if defined(__x86_64__)
  constexpr unsigned kX32 = 0x40000000;
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1));
  program.push_back(kDeny);
#endif
  for (int number : kDenied) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    program.push_back(kDeny);
  }
  program.push_back(kAllow);
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    return absl::UnimplementedError(absl::StrCat(
        "denying system calls: ", std::strerror(errno),
        " - leave deny_syscalls out of plugins.isolation on a kernel without seccomp"));
  }
  return absl::OkStatus();
}

}  // namespace fermata
