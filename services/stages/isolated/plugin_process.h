// PluginProcess: one running fermata-plugin-host: the child, its socket, its crash page, what it
// says on stderr, and whether it still answers.
//
//   running ── it exits, or a signal ends it ────────────────────────────┐
//      ├── a frame that makes no sense, or nobody reads ─ SIGKILL ────────┤
//      └── five pings without an answer ─ SIGABRT ─ 2 s ─ SIGKILL ────────┴─> on_ended(), once
//
// The pidfd decides when it has ended; everything it sent before is delivered first. One process is
// one object: it is never restarted (isolated_plugin.h does that, with a new one). Destroying it
// kills the process. Loop thread only, inside run().
#ifndef SERVICES_STAGES_ISOLATED_PLUGIN_PROCESS_H_
#define SERVICES_STAGES_ISOLATED_PLUGIN_PROCESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/process/subprocess.h"
#include "services/stages/isolated/confinement.h"
#include "services/stages/isolated/crash_page.h"
#include "services/stages/isolated/frame_channel.h"
#include "services/stages/isolated/stderr_tail.h"

namespace fermata {

// What to run, and how.
struct PluginProcessOptions {
  std::string program;  // fermata-plugin-host
  std::string file;     // the name the plugin is known by
  std::string library;  // what is loaded: our private copy of it
  std::string plugin_id;
  std::string version;
  Confinement confinement;
  uint64_t payload_max = uint64_t{64} << 20;  // of one input, output or chunk
  int64_t cancel_grace_ns = 5'000'000'000;
  int64_t ping_ns = 1'000'000'000;
  int64_t busy_poll_ns = 100'000;  // at both ends, see reply_pace.h; 0: neither
  uint32_t chunk_credit = 16;
};

struct ProcessEnd {
  // "SIGSEGV at 0x10", "exit code 3", "no answer for 5 s (SIGABRT)", "a bad frame: ..."
  std::string how;
  std::string
      cause;  // of `how`, the part for a metric's label: "SIGSEGV", "exit", "hang", "protocol"
  bool asked = false;              // it was told to close, and did
  std::vector<uint64_t> suspects;  // numbers of calls, see CrashPage
  std::vector<std::string> stderr_tail;
};

class PluginProcess final : private FrameChannel::Sink {
 public:
  static constexpr int kPingsMissedMax = 5;
  static constexpr int64_t kAbortNs = 2'000'000'000;

  class Owner {
   public:
    virtual void on_frame(const Frame& frame) noexcept = 0;
    virtual void on_stderr(std::string_view line) noexcept = 0;
    // The last call; may destroy the process.
    virtual void on_ended(ProcessEnd end) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  // Blocks for the moment that the kernel needs. Whatever the child does afterwards is on_ended().
  static absl::StatusOr<std::unique_ptr<PluginProcess>> start(Loop& loop,
                                                              const PluginProcessOptions& options,
                                                              Owner& owner);
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;
  ~PluginProcess();

  void send(FrameType type, uint64_t call, std::string_view payload = {}) {
    channel_.send(type, call, payload);
  }
  // SIGKILL, because of what it did; `cause` as in ProcessEnd.
  void kill(std::string_view cause, std::string_view how);
  // Its end is no accident from now on.
  void expect_end() { asked_ = true; }
  int pid() const { return child_.pid(); }

 private:
  struct Watch : IoWatch {
    Watch(PluginProcess& process, int fd) noexcept
        : IoWatch(fd, Interest::kRead, &PluginProcess::pidfd_readable), process(process) {}
    PluginProcess& process;
    bool waiting = false;
  };
  struct OwnTimer : Timer {
    explicit OwnTimer(PluginProcess& process) noexcept
        : Timer(&PluginProcess::ping_due), process(process) {}
    PluginProcess& process;
  };

  PluginProcess(Loop& loop, const PluginProcessOptions& options, Owner& owner, CrashPage page,
                Subprocess child, int socket, int errors);
  void on_frame(const Frame& frame) noexcept override;
  void on_closed(const absl::Status& why) noexcept override;
  static void pidfd_readable(IoWatch& watch) noexcept;
  static void ping_due(Timer& timer) noexcept;
  void ping() noexcept;
  void wait_for_end() noexcept;
  void ended() noexcept;

  Loop& loop_;
  Owner& owner_;
  const int64_t ping_ns_;
  CrashPage page_;
  Subprocess child_;
  FrameChannel channel_;
  StderrTail stderr_;
  Watch pidfd_;
  OwnTimer timer_;
  std::string cause_;  // why we ended it; empty: it did it by itself
  std::string how_;
  int unanswered_ = 0;
  bool aborted_ = false;
  bool asked_ = false;
  bool over_ = false;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_PLUGIN_PROCESS_H_
