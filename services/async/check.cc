#include "services/async/check.h"

#include <cstdio>
#include <cstdlib>

namespace fermata::detail {

void check_failed(const char* file, int line, const char* condition, const char* message) noexcept {
  std::fprintf(stderr, "%s:%d: check failed: %s%s%s\n", file, line, condition,
               *message != '\0' ? ": " : "", message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace fermata::detail
