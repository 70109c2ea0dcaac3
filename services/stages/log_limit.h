// LogLimit: a token bucket, so that a stage in a bad mood cannot fill the disk. Loop thread only.
#ifndef SERVICES_STAGES_LOG_LIMIT_H_
#define SERVICES_STAGES_LOG_LIMIT_H_

#include <algorithm>
#include <cstdint>

namespace fermata {

class LogLimit {
 public:
  LogLimit(int64_t per_second, int64_t burst)
      : interval_ns_(1'000'000'000 / per_second), burst_ns_(interval_ns_ * burst) {}

  // False: over the limit, do not write it.
  bool admit(int64_t now_ns) {
    const int64_t earliest = now_ns - burst_ns_;
    credit_from_ns_ = std::max(credit_from_ns_, earliest);
    if (now_ns - credit_from_ns_ < interval_ns_) return false;
    credit_from_ns_ += interval_ns_;
    return true;
  }

 private:
  int64_t interval_ns_;
  int64_t burst_ns_;
  int64_t credit_from_ns_ = INT64_MIN / 2;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_LOG_LIMIT_H_
