/* load-now: changes the process before anybody asked it for anything. */
#include <signal.h>

#include "tests/plugin_kit/bad/parts.h"

static void on_signal(int number) { (void)number; }
__attribute__((constructor)) static void too_early(void) { signal(SIGUSR2, on_signal); }
