// ReplyPace: for how long one end of a channel should look for an answer before it sleeps.
//
// To wake a sleeper on another CPU takes 5 to 60 us, longer than a short call runs. So an end whose
// last answers came quickly looks for the next one, and stops at the first that takes long: at most
// `look_ns` of CPU time are lost to a pause. It is the rule by which KVM polls before it halts
// (Documentation/virt/kvm/halt-polling.rst), in its simplest form. Times: monotonic, in ns.
#ifndef SERVICES_STAGES_ISOLATED_REPLY_PACE_H_
#define SERVICES_STAGES_ISOLATED_REPLY_PACE_H_

#include <cstdint>

namespace fermata {

class ReplyPace {
 public:
  // What came within this would have been quick if nobody had had to be woken.
  static constexpr int64_t kQuickNs = 200'000;
  static constexpr int kConvincing = 3;  // quick answers in a row

  // 0: never look.
  explicit ReplyPace(int64_t look_ns) noexcept : look_ns_(look_ns) {}

  // Something was sent. How long to look for what comes next; 0: sleep.
  int64_t sent(int64_t now_ns) noexcept {
    sent_ns_ = now_ns;
    return quick_ < kConvincing ? 0 : look_ns_;
  }
  // Something came; it answers what was sent last.
  void received(int64_t now_ns) noexcept {
    if (sent_ns_ == kAnswered) return;
    if (now_ns - sent_ns_ > kQuickNs) {
      quick_ = 0;
    } else if (quick_ < kConvincing) {
      ++quick_;
    }
    sent_ns_ = kAnswered;
  }

 private:
  static constexpr int64_t kAnswered = -1;

  const int64_t look_ns_;
  int64_t sent_ns_ = kAnswered;
  int quick_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_REPLY_PACE_H_
