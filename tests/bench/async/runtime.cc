#include "tests/bench/async/runtime.h"

#include <cstdio>
#include <cstdlib>

namespace fermata::bench {

double resident_bytes() {
  long total = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return static_cast<double>(resident) * 4096;
}

void print(const char* test, long n, double seconds, const std::string& more) {
  std::printf("{\"test\":\"%s\",\"n\":%ld,\"ops_s\":%g,\"ns\":%g,\"rss_MiB\":%g%s}\n", test, n,
              n / seconds, seconds / n * 1e9, resident_bytes() / 1048576, more.c_str());
}

std::string field(const char* name, double value) {
  char text[80];
  std::snprintf(text, sizeof(text), ",\"%s\":%g", name, value);
  return text;
}

namespace {

Co<absl::Status> unknown() {
  co_return absl::InvalidArgumentError("usage: runtime R1|R2|R3a|R3b|R4|R5|R6|R7 PORT|R8|R9|R10");
}

Co<absl::Status> choose(const std::string& test, int port) {
  if (test == "R1") return r1();
  if (test == "R2") return r2();
  if (test == "R3a") return r3a();
  if (test == "R3b") return r3b();
  if (test == "R4") return r4();
  if (test == "R5") return r5();
  if (test == "R6") return r6();
  if (test == "R7") return r7(port);
  if (test == "R8") return r8();
  if (test == "R9") return r9();
  if (test == "R10") return r10();
  return unknown();
}

}  // namespace
}  // namespace fermata::bench

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "";
  const int port = argc > 2 ? std::atoi(argv[2]) : 0;
  const absl::Status status = fermata::run(fermata::bench::choose(test, port));
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
