// A child that lets another process trace it, and ends: its parent is never told how, until the
// tracer is gone. The tracer goes when standard input ends.
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main() {
  const pid_t child = ::getpid();
  int ready[2];
  if (::pipe(ready) != 0) ::_exit(2);
  (void)::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);  // needed, and known, only with Yama
  const pid_t tracer = ::fork();
  if (tracer < 0) ::_exit(2);
  if (tracer == 0) {
    (void)::setsid();  // out of the group, which ends with the child
    const bool traces = ::ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0;
    const char said = traces ? 'y' : 'n';
    if (::write(ready[1], &said, 1) != 1) ::_exit(2);
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    ::_exit(0);
  }
  char said = 'n';
  if (::read(ready[0], &said, 1) != 1) ::_exit(2);
  ::_exit(said == 'y' ? 7 : 2);
}
