#include "services/stages/fatal_signals.h"

#include <signal.h>

#include <array>
#include <cstddef>

namespace fermata {
namespace {

struct Fatal {
  int signal;
  const char* name;
};
constexpr std::array<Fatal, 8> kFatal = {{{SIGSEGV, "SIGSEGV"},
                                          {SIGBUS, "SIGBUS"},
                                          {SIGILL, "SIGILL"},
                                          {SIGFPE, "SIGFPE"},
                                          {SIGABRT, "SIGABRT"},
                                          {SIGTRAP, "SIGTRAP"},
                                          {SIGSYS, "SIGSYS"},
                                          {SIGXCPU, "SIGXCPU"}}};
// Of other threads only an overflow of their stack is lost: they have no second one.
constexpr size_t kStackBytes = size_t{64} << 10;

FatalSignal told = nullptr;
std::array<struct sigaction, kFatal.size()> before;

void handle(int signal, siginfo_t* info, void*) {
  told(signal, info != nullptr && info->si_code > 0 ? info->si_addr : nullptr);
  for (size_t i = 0; i < kFatal.size(); ++i) {
    if (kFatal[i].signal == signal) ::sigaction(signal, &before[i], nullptr);
  }
  // A fault comes again when this returns, as it was; anything else has to be sent again.
  const bool fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
  if (!fault || info == nullptr || info->si_code <= 0) ::raise(signal);
}

}  // namespace

void on_fatal_signal(FatalSignal call) {
  alignas(16) static std::array<char, kStackBytes> stack;
  told = call;
  stack_t alternative = {};
  alternative.ss_sp = stack.data();
  alternative.ss_size = stack.size();
  stack_t present = {};
  if (::sigaltstack(nullptr, &present) == 0 && (present.ss_flags & SS_DISABLE) != 0) {
    ::sigaltstack(&alternative, nullptr);
  }
  for (size_t i = 0; i < kFatal.size(); ++i) {
    struct sigaction action = {};
    action.sa_sigaction = &handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    ::sigaction(kFatal[i].signal, &action, &before[i]);
  }
}

const char* signal_name(int signal) {
  for (const Fatal& fatal : kFatal) {
    if (fatal.signal == signal) return fatal.name;
  }
  switch (signal) {
    case SIGKILL:
      return "SIGKILL";
    case SIGTERM:
      return "SIGTERM";
    case SIGXFSZ:
      return "SIGXFSZ";
    case SIGPIPE:
      return "SIGPIPE";
    default:
      return "an unexpected signal";
  }
}

}  // namespace fermata
