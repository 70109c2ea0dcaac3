// LabHost: a host for one plugin that is as strict and as unlucky as a host may be.
//
// Time is virtual: it jumps to the next timer when nothing else can happen. Nothing runs at once:
// an offloaded call has its own thread, and the loop waits for it. A plan says what goes wrong and
// when (the n-th op is refused, the n-th event fails, memory runs out, the call is cancelled before
// the n-th event), so a run can be repeated with each fault in each place. What the plugin does
// against fermata_abi.h is written down as a violation; what it does against memory is a SIGSEGV
// (lab_buffers.h), which is why every check is a process of its own.
//
// One per process; the thread that makes it is its loop thread.
#ifndef SERVICES_PLUGIN_KIT_LAB_HOST_H_
#define SERVICES_PLUGIN_KIT_LAB_HOST_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "plugins/abi/fermata_abi.h"
#include "services/plugin_kit/lab_buffers.h"
#include "services/plugin_kit/lab_call.h"

namespace fermata::kit {

// What goes wrong. Counted from 1 over the LabHost's life; 0 is never.
struct LabPlan {
  uint32_t refuse_op = 0;
  uint32_t fail_event = 0;
  fermata_status failure = FERMATA_E_UNAVAILABLE;
  uint32_t refuse_buffer = 0;
  uint32_t cancel_before_event = 0;  // the call that is being run
  uint32_t cancel_reason = FERMATA_CANCEL_REQUESTED;
  bool cancel_wins = true;      // the event is of an op that the cancellation ended
  uint32_t credit = 16;         // chunks per credit event
  bool strange_events = false;  // before each event one of a kind that no host knows
  uint64_t seed = 0;            // of the order of what is ready; 0: as it came
};

enum class Rule {
  kToken,     // tokens, flags and arguments of ops
  kHang,      // PENDING with nothing that could wake it
  kEnded,     // a handle used after its end
  kThread,    // [loop] functions on other threads
  kBuffer,    // reference counts
  kOutput,    // emit(): one FINAL, credit
  kStatus,    // values that no function may return
  kMetric,    // names, ids, when they are defined
  kProgress,  // of the job: it went back, or is not a fraction
};

struct Violation {
  Rule rule;
  std::string what;
};

class LabHost {
 public:
  explicit LabHost(LabPlan plan = {});
  ~LabHost();
  LabHost(const LabHost&) = delete;
  LabHost& operator=(const LabHost&) = delete;

  // The functions a plugin gets: the whole of this minor.
  static const fermata_host& table();

  // create(); null when it failed, and then `failure` says how.
  LabInstance* create(const fermata_stage& stage, std::string_view config, std::string* failure);
  // start(), and what follows from it by itself.
  LabCall& start(LabInstance& instance, std::string_view input, uint64_t timeout_ns = 0);
  // Until the call has finished, or nothing can happen any more; then it is a violation.
  void run(LabCall& call);
  // One event. False when there is none.
  bool step();
  void cancel(LabCall& call, uint32_t reason);
  // Ends what the root call waits for, then destroy().
  void destroy(LabInstance& instance);

  uint32_t ops() const { return ops_; }
  uint32_t events() const { return events_; }
  uint32_t buffer_count() const { return buffer_count_; }
  bool fault_happened() const { return fault_happened_; }
  uint64_t now_ns() const { return now_ns_; }
  size_t live_buffers() const { return buffers_.live(); }
  size_t live_wakers() const;
  int64_t longest_hold_ns() const { return longest_hold_ns_; }
  // Of everything so far; the first is the cause of the others more often than not.
  const std::vector<Violation>& violations();
  void violate(Rule rule, std::string what);
  // Where it is, for whoever looks at a process that died: called before each entry.
  std::function<void(std::string_view)> on_entry;

 private:
  friend struct LabTable;
  struct LabWaker;

  bool on_loop() const { return std::this_thread::get_id() == loop_thread_; }
  // [loop] and not over; otherwise a violation, and what to answer.
  fermata_status usable(LabCall& call, const char* function);
  fermata_status admit(LabCall& call, uint64_t token, uint32_t flags, const char* function);
  LabOp& add_op(LabCall& call, uint64_t token, uint32_t flags, uint32_t kind);
  fermata_status emit(LabCall& call, const fermata_buf& bytes, uint32_t flags);
  fermata_status define(LabInstance& instance, const fermata_metric_def& def, uint32_t* id);
  fermata_status update(LabInstance& instance, uint32_t id, const fermata_str* labels, uint32_t n);
  fermata_status new_waker(LabCall& call, uint64_t token, uint32_t flags, fermata_waker** out);
  fermata_status consume(fermata_waker* waker, uint64_t value, fermata_status status);

  // While the plugin's code runs on the loop.
  class Entry {
   public:
    Entry(LabHost& host, std::string_view where, bool counts = true);
    ~Entry();

   private:
    LabHost& host_;
    const bool counts_;  // for longest_hold_ns()
    int64_t began_ns_;
  };
  void complete(LabOp& op, fermata_status status);
  bool complete_one();
  bool complete_waiting(int patience_ms);
  bool fire_timer();
  void run_blocking(LabOp& op);
  void take_mail();
  void deliver(LabOp& op);
  void deliver_strange(LabCall& call, const LabOp& op);
  void apply_plan(LabOp& op);
  void settle(LabCall& call, fermata_status returned, const char* function);
  void finish(LabCall& call, fermata_status status);
  bool can_still_happen(const LabCall& call) const;
  std::vector<LabCall*> all_calls();

  LabPlan plan_;
  LabBuffers buffers_;
  std::vector<std::unique_ptr<LabInstance>> instances_;
  std::vector<std::unique_ptr<LabCall>> calls_;
  std::vector<LabCall*> running_;
  std::deque<LabOp*> ready_;
  LabCall* focus_ = nullptr;  // the call that run() is about
  std::vector<Violation> violations_;
  std::mt19937_64 random_;
  std::thread::id loop_thread_;
  uint64_t now_ns_ = uint64_t{1'000'000'000};
  uint32_t ops_ = 0;
  uint32_t events_ = 0;
  uint32_t buffer_count_ = 0;
  int64_t longest_hold_ns_ = 0;
  bool fault_happened_ = false;

  mutable std::mutex mail_mutex_;
  std::vector<std::unique_ptr<LabWaker>> wakers_;
  std::deque<LabWaker*> mail_;
  std::vector<Violation> foreign_violations_;
  int mail_fd_ = -1;
};

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_LAB_HOST_H_
