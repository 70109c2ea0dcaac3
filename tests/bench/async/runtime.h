// Suite R: the questions one asks of any async runtime, in the same form for all of them. One
// program, one test a run, one JSON line out; run beside it puts other runtimes' programs next to
// this one.
//
//   R1 spawn and join, one by one      R5 arm and drop a timer
//   R2 yield, 100 000 tasks            R6 call a coroutine, 1000 deep
//   R3a ping-pong over two queues      R7 TCP echo server on the port given
//   R3b one queue, 1024 items deep     R8 wake-ups from another thread
//   R4 a million tasks asleep          R9 lock and unlock, alone and with a rival
//                                      R10 10 000 timeouts end together
#ifndef TESTS_BENCH_ASYNC_RUNTIME_H_
#define TESTS_BENCH_ASYNC_RUNTIME_H_

#include <chrono>
#include <string>

#include "services/async/async.h"

namespace fermata::bench {

Co<absl::Status> r1();
Co<absl::Status> r2();
Co<absl::Status> r3a();
Co<absl::Status> r3b();
Co<absl::Status> r4();
Co<absl::Status> r5();
Co<absl::Status> r6();
Co<absl::Status> r7(int port);
Co<absl::Status> r8();
Co<absl::Status> r9();
Co<absl::Status> r10();

using Clock = std::chrono::steady_clock;

inline double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double resident_bytes();
// The line every test ends with; `more` is made of field()s.
void print(const char* test, long n, double seconds, const std::string& more = "");
std::string field(const char* name, double value);

}  // namespace fermata::bench

#endif  // TESTS_BENCH_ASYNC_RUNTIME_H_
