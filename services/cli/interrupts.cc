#include "services/cli/interrupts.h"

#include <atomic>
#include <csignal>

namespace fermata::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
// Lock-free, hence safe in a handler; nothing else is published with it, so relaxed is enough.
std::atomic<int> interrupt_count{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void count_interrupt(int) { interrupt_count.fetch_add(1, std::memory_order_relaxed); }

void handle_with(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  for (const int number : kSignals) {
    struct sigaction before = {};
    sigaction(number, nullptr, &before);
    // nohup and shell scripts in the background ignore some of these; keep it so.
    if (before.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

}  // namespace

Interrupts::Interrupts() {
  interrupt_count.store(0, std::memory_order_relaxed);
  handle_with(count_interrupt);
}
Interrupts::~Interrupts() { handle_with(SIG_DFL); }
int Interrupts::count() const { return interrupt_count.load(std::memory_order_relaxed); }

}  // namespace fermata::cli
