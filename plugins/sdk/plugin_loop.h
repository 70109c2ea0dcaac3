// PluginLoop: the async core's Loop inside a plugin, on top of the C ABI. One per stage instance.
//
//   host loop -- start, resume, instance_event --> enter, turns until nothing is ready, return
//             <-- timers, descriptors, offloads: ops on the instance's root call --
//
// It never waits: it runs when the host enters the plugin, and before it returns it has asked the
// host for what must wake it: one timer (the earliest deadline), one op per watched descriptor and
// offloaded call, and one waker that other threads' posts fire. Ops are shielded: cancellation is
// the scopes' business here, not the host's. Host thread of the instance only, except what Loop
// says.
#ifndef PLUGINS_SDK_PLUGIN_LOOP_H_
#define PLUGINS_SDK_PLUGIN_LOOP_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "plugins/abi/fermata_abi.h"
#include "services/async/loop.h"

namespace fermata {

class PluginLoop final : public Loop {
 public:
  PluginLoop(const fermata_host& host, fermata_instance* instance);
  ~PluginLoop() override;

  // While one exists the loop is current; before it goes, everything ready has run and the host
  // knows what is next.
  class Enter {
   public:
    explicit Enter(PluginLoop& loop) noexcept : loop_(loop), entered_(loop) {
      ++loop.stats_.steps;  // an entry is a step: the clock is read again
    }
    ~Enter() { loop_.run_until_idle(); }
    void run() noexcept { loop_.run_until_idle(); }

   private:
    PluginLoop& loop_;
    Entered entered_;
  };

  // An event of the root call; inside Enter. True: the host asks the instance to end.
  bool handle(const fermata_event& event) noexcept;
  // [worker] an offloaded call.
  static void run_blocking(uint64_t token) noexcept;
  // From here on the host must be left with nothing outstanding as soon as nothing needs it.
  void begin_closing() noexcept { closing_ = true; }

  const fermata_host& host() const noexcept { return host_; }
  fermata_instance* instance() const noexcept { return instance_; }

  const char* kind() const noexcept override { return "plugin"; }
  int watch(IoWatch& watch) noexcept override;
  void unwatch(IoWatch& watch) noexcept override;
  void forget(int fd) noexcept override;
  void offload(OffloadJob& job) noexcept override;
  bool withdraw(OffloadJob& job) noexcept override;

 private:
  // More turns than this in one entry would hold the host's loop: the rest waits for its next turn.
  static constexpr int kTurnsPerEntry = 4;
  static constexpr size_t kMaxArmed = 16;

  void run_until_idle() noexcept;
  void ask_for_timer(int64_t deadline_ns) noexcept;
  void drop_timers() noexcept;
  void drop_watch(IoWatch& watch) noexcept;
  // False: the instance is being closed, there will be no more wakers.
  bool listen() noexcept;
  void drop_waker() noexcept;
  std::int64_t read_clock_ns() noexcept override;
  void wake_from_sleep() noexcept override;

  const fermata_host& host_;
  fermata_instance* const instance_;
  fermata_call* const root_;
  absl::flat_hash_map<uint64_t, IoWatch*>
      watches_;  // by token: a late event must not find a watch that is gone
  absl::flat_hash_map<int, IoWatch*> waits_for_;  // the same by descriptor, linked by `next`
  uint64_t next_token_ = 1;
  struct ArmedTimer {
    int64_t deadline_ns;
    uint64_t token;
  };
  std::vector<ArmedTimer> armed_;  // each earlier than the one before it; the last fires first
  // Read by posting threads, see wake_from_sleep().
  std::atomic<fermata_waker*> waker_{nullptr};
  bool closing_ = false;
};

}  // namespace fermata

#endif  // PLUGINS_SDK_PLUGIN_LOOP_H_
