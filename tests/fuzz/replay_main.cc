// main() of a fuzz target built as a test: replays files, then mutations of them drawn from a seed.
//
//   NAME_test FILE...                        every file, as it is
//   NAME_test --runs=N --seed=S FILE...      and N mutations; the same S gives the same inputs
//
// Coverage does not steer it, so it finds less than libFuzzer; it needs no special build, so it
// runs in every configuration. An input that brings the process down is written to
// $TEST_UNDECLARED_OUTPUTS_DIR (or the working directory) and named on stderr.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "services/async/splitmix.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr size_t kLongest = 16384;  // of a mutated input

using Bytes = std::vector<uint8_t>;

// What the signal handler writes: the input that is being tried.
const uint8_t* current_data = nullptr;
size_t current_size = 0;
char crash_file[4096];

void keep_input(int signal_number) {
  const int fd = ::open(crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd >= 0) {
    if (::write(fd, current_data, current_size) < 0) ::_exit(99);
    ::close(fd);
  }
  constexpr std::string_view kText = "\nthe input that did it is in ";
  for (const std::string_view part :
       {kText, std::string_view(crash_file), std::string_view("\n")}) {
    if (::write(STDERR_FILENO, part.data(), part.size()) < 0) ::_exit(99);
  }
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

void watch_for_crashes() {
  const char* folder = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  std::snprintf(crash_file, sizeof crash_file, "%s/crash-input", folder == nullptr ? "." : folder);
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) ::signal(number, &keep_input);
}

void try_input(const Bytes& input) {
  // A copy of exactly this size, so that a sanitizer sees a read past its end.
  const Bytes exact(input.begin(), input.end());
  current_data = exact.data();
  current_size = exact.size();
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

class Mutator {
 public:
  Mutator(const std::vector<Bytes>& corpus, uint64_t seed) : corpus_(corpus), state_(seed) {}

  Bytes next() {
    Bytes input = corpus_[below(corpus_.size())];
    const size_t changes = 1 + below(6);
    for (size_t i = 0; i < changes; ++i) change(input);
    if (input.size() > kLongest) input.resize(kLongest);
    return input;
  }

 private:
  size_t below(size_t n) { return n == 0 ? 0 : fermata::detail::splitmix64(state_) % n; }

  void change(Bytes& input) {
    const size_t at = below(input.size() + 1);
    const size_t length = std::min(below(below(2) == 0 ? 8 : 256) + 1, input.size() - at);
    const auto begin = input.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(length);
    switch (below(7)) {
      case 0:
        if (length > 0) *begin ^= static_cast<uint8_t>(1u << below(8));
        return;
      case 1:
        if (length > 0) *begin = static_cast<uint8_t>(below(256));
        return;
      case 2:
        input.erase(begin, end);
        return;
      case 3: {  // twice
        const Bytes piece(begin, end);
        input.insert(end, piece.begin(), piece.end());
        return;
      }
      case 4: {  // a piece of another input
        const Bytes& other = corpus_[below(corpus_.size())];
        const size_t from = below(other.size() + 1);
        const size_t count = std::min(below(128), other.size() - from);
        input.insert(begin, other.begin() + static_cast<std::ptrdiff_t>(from),
                     other.begin() + static_cast<std::ptrdiff_t>(from + count));
        return;
      }
      case 5: {  // a character that means something to most parsers, or an extreme number
        static constexpr std::string_view kTokens[] = {"{",
                                                       "}",
                                                       "[",
                                                       "]",
                                                       "\"",
                                                       ":",
                                                       ",",
                                                       "\n",
                                                       "  ",
                                                       "- ",
                                                       "&a ",
                                                       "*a",
                                                       "${",
                                                       "/",
                                                       "*",
                                                       "~",
                                                       "-1",
                                                       "9223372036854775808",
                                                       "1e999",
                                                       "\xff\xff\xff\xff",
                                                       std::string_view("\0\0\0\0", 4),
                                                       "\\u0000",
                                                       "\xf0\x9f\x8e\xb5",
                                                       "null",
                                                       "AND",
                                                       "OR",
                                                       "="};
        const std::string_view token = kTokens[below(std::size(kTokens))];
        input.insert(begin, token.begin(), token.end());
        return;
      }
      default:
        input.resize(at);
    }
  }

  const std::vector<Bytes>& corpus_;
  uint64_t state_;
};

uint64_t number_after(std::string_view argument, std::string_view name) {
  uint64_t value = 0;
  const char* begin = argument.data() + name.size();
  const char* end = argument.data() + argument.size();
  const std::from_chars_result result = std::from_chars(begin, end, value);
  if (result.ec == std::errc() && result.ptr == end) return value;
  std::fprintf(stderr, "expected a number after %.*s, got '%s'\n", static_cast<int>(name.size()),
               name.data(), begin);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = 0;
  uint64_t seed = 1;
  std::vector<Bytes> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--runs=")) {
      runs = number_after(argument, "--runs=");
    } else if (argument.starts_with("--seed=")) {
      seed = number_after(argument, "--seed=");
    } else {
      std::ifstream file{std::string(argument), std::ios::binary};
      if (!file) {
        std::fprintf(stderr, "cannot read %s\n", argv[i]);
        return 2;
      }
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "no inputs: name at least one file\n");
    return 2;
  }
  watch_for_crashes();
  for (const Bytes& input : corpus) try_input(input);
  Mutator mutator(corpus, seed);
  for (uint64_t run = 0; run < runs; ++run) try_input(mutator.next());
  std::printf("%zu inputs and %llu mutations of them (seed %llu)\n", corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  return 0;
}
