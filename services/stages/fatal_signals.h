// Fatal signals: one function of ours is called before the process dies of one.
//
// Signals that were ignored or handled by somebody else before (a sanitizer) are handled by them
// afterwards, so a core, a report and the exit status are what they would have been. The function
// runs in a signal handler, on the thread that died, on a stack of its own: it may do only what is
// async-signal-safe.
#ifndef SERVICES_STAGES_FATAL_SIGNALS_H_
#define SERVICES_STAGES_FATAL_SIGNALS_H_

namespace fermata {

// `address`: what was touched, for a fault. Once per process; the calling thread gets an
// alternative stack.
using FatalSignal = void (*)(int signal, void* address) noexcept;
void on_fatal_signal(FatalSignal call);

// "SIGSEGV"; "an unexpected signal" for one that never ends a process here. Async-signal-safe.
const char* signal_name(int signal);

}  // namespace fermata

#endif  // SERVICES_STAGES_FATAL_SIGNALS_H_
