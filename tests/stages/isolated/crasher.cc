// A plugin with one stage per way to go wrong, and some to watch the others by.
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/strings/str_cat.h"
#include "plugins/sdk/sdk.h"

namespace {

using fermata::Call;
using fermata::Co;
using fermata::Instance;
using fermata::StageSpec;
using Result = absl::StatusOr<std::string>;

template <class Self>
class Plain {
 public:
  static absl::StatusOr<std::unique_ptr<Self>> create(Instance&, std::string_view) {
    return std::make_unique<Self>();
  }
};

StageSpec spec_of(std::string_view name, uint32_t flags = FERMATA_STAGE_IDEMPOTENT) {
  StageSpec spec;
  spec.name = name;
  spec.summary = name;
  spec.flags = flags;
  return spec;
}

#define STAGE(NAME, FLAGS)                              \
  static const StageSpec& spec() {                      \
    static const StageSpec spec = spec_of(NAME, FLAGS); \
    return spec;                                        \
  }

// volatile, so that no compiler knows what is about to happen
volatile int* volatile nowhere = nullptr;

class Echo : public Plain<Echo> {
 public:
  STAGE("echo", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) { co_return std::string(call.input()); }
};

class Segv : public Plain<Segv> {
 public:
  STAGE("segv", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) {
    std::fprintf(stderr, "about to touch nothing\n");
    *nowhere = 1;
    co_return std::string(call.input());
  }
};

class Abort : public Plain<Abort> {
 public:
  STAGE("abort", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call&) { std::abort(); }
};

class Exit : public Plain<Exit> {
 public:
  STAGE("exit", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call&) { std::exit(3); }
};

// Ends while a process that it let trace it holds back how. That one goes after a second.
class Traced : public Plain<Traced> {
 public:
  STAGE("traced", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call&) {
    std::thread other([] { ::pause(); });
    other.detach();
    const pid_t self = ::getpid();
    int ready[2];
    if (::pipe(ready) != 0) co_return absl::InternalError("pipe");
    (void)::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    if (::fork() == 0) {
      (void)::setsid();
      (void)::ptrace(PTRACE_SEIZE, self, nullptr, nullptr);
      (void)!::write(ready[1], "x", 1);
      (void)::alarm(1);
      for (;;) ::pause();
    }
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);
    ::_exit(7);
  }
};

class Spin : public Plain<Spin> {
 public:
  STAGE("spin", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call&) {
    volatile bool forever = true;
    while (forever) {
    }
    co_return "null";
  }
};

class Leak : public Plain<Leak> {
 public:
  STAGE("leak", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call&) {
    for (;;) {
      constexpr size_t kBytes = size_t{1} << 20;
      char* bytes = static_cast<char*>(std::malloc(kBytes));
      if (bytes == nullptr) std::abort();
      std::memset(bytes, 1, kBytes);
    }
  }
};

class Corrupt : public Plain<Corrupt> {
 public:
  STAGE("corrupt", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call&) {
    char* volatile bytes = static_cast<char*>(std::malloc(5000));
    std::memset(bytes - 16, 0x41, 16);  // the allocator's own
    std::free(bytes);
    void* volatile other = std::malloc(6000);
    std::free(other);
    std::abort();
  }
};

class Flood : public Plain<Flood> {
 public:
  STAGE("flood", FERMATA_STAGE_IDEMPOTENT | FERMATA_STAGE_STREAMS)
  Co<Result> run(Call& call) {
    for (;;) {
      absl::Status sent = co_await call.emit(std::string(60000, 'x'));
      if (!sent.ok()) co_return sent;
    }
  }
};

class Huge : public Plain<Huge> {
 public:
  STAGE("huge", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call&) { co_return absl::StrCat("\"", std::string(5 << 20, 'x'), "\""); }
};

class Wait : public Plain<Wait> {
 public:
  STAGE("wait", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) {
    call.progress(0.5, "waiting");
    co_await fermata::sleep(absl::InfiniteDuration());
    co_return "null";
  }
};

class Nap : public Plain<Nap> {
 public:
  STAGE("nap", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) {
    co_await fermata::sleep(absl::Seconds(1));
    co_return "null";
  }
};

// Like wait, but what it did cannot be done twice.
class Once : public Plain<Once> {
 public:
  STAGE("once", 0)
  Co<Result> run(Call& call) {
    call.progress(0.5, "waiting");
    co_await fermata::sleep(absl::InfiniteDuration());
    co_return "null";
  }
};

std::string hold() {
  for (;;) ::pause();
}

// Does not let go of a thread, whatever it is told.
class Hold : public Plain<Hold> {
 public:
  STAGE("hold", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) {
    call.progress(0.5, "holding");
    std::string never = co_await fermata::offload(&hold);
    co_return never;
  }
};

class Nest : public Plain<Nest> {
 public:
  STAGE("nest", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) {
    std::string input(call.input());  // "stage" in quotes
    std::string stage = input.substr(1, input.size() - 2);
    absl::StatusOr<std::string> inner = co_await call.call_stage(stage, "[1]");
    if (!inner.ok()) co_return inner.status();
    co_return absl::StrCat("{\"inner\":", *inner, "}");
  }
};

// Six calls at once of a stage that never ends, each with all of the input.
class Hoard : public Plain<Hoard> {
 public:
  STAGE("hoard", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) {
    auto all = co_await fermata::gather(forever(call), forever(call), forever(call), forever(call),
                                        forever(call), forever(call));
    co_return all.status();
  }

 private:
  static Co<Result> forever(Call& call) {
    co_return co_await call.call_stage("sample/forever", std::string(call.input()));
  }
};

// What the process may do: a debugger's call, and reading the file that the input names.
class Probe : public Plain<Probe> {
 public:
  STAGE("probe", FERMATA_STAGE_IDEMPOTENT)
  Co<Result> run(Call& call) {
    std::string path(call.input());
    path = path.substr(1, path.size() - 2);
    const long traced = ::ptrace(PTRACE_PEEKDATA, 1, nullptr, nullptr);
    const bool denied = traced == -1 && errno == EPERM;
    std::ifstream file(path);
    const bool readable = file.good();
    const char* home = std::getenv("HOME");
    co_return absl::StrCat("{\"denied\":", denied ? "true" : "false",
                           ",\"readable\":", readable ? "true" : "false",
                           ",\"home\":", home != nullptr ? "true" : "false", "}");
  }
};

}  // namespace

FERMATA_PLUGIN("org.example.crasher", VERSION, Echo, Segv, Abort, Exit, Traced, Spin, Leak, Corrupt,
               Flood, Huge, Wait, Nap, Once, Hold, Nest, Hoard, Probe);
