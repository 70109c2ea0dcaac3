// Counter, Gauge and Histogram as plain numbers: what hot paths touch.
//
// One loop owns each of them and only its thread may read or write it, so there is no atomic and no
// lock: an increment is one add, an observation a short search and two adds. prometheus-cpp's own
// Histogram takes a mutex on every observe. A scrape asks the loop for a copy (families.h,
// scrape.h) and builds the text from that.
//
// This header depends on nothing, so that every room may use it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace fermata {

// Only goes up.
class Counter {
 public:
  void add(uint64_t n = 1) { value_ += n; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

// Goes up and down.
class Gauge {
 public:
  void add(int64_t n = 1) { value_ += n; }
  void sub(int64_t n = 1) { value_ -= n; }
  void set(int64_t n) { value_ = n; }
  int64_t value() const { return value_; }

 private:
  int64_t value_ = 0;
};

// Upper bounds in nanoseconds, each inclusive, ascending. One more bucket holds what is above them
// all.

// For what a job or a stage takes: 1 ms to 1 h, about x2.5. Web buckets (5 ms to 10 s) are wrong
// for jobs.
inline constexpr std::array<int64_t, 17> kJobBucketsNs = {
    1'000'000,         2'500'000,        5'000'000,      10'000'000,      25'000'000,
    50'000'000,        100'000'000,      250'000'000,    500'000'000,     1'000'000'000,
    2'500'000'000,     10'000'000'000,   30'000'000'000, 100'000'000'000, 300'000'000'000,
    1'000'000'000'000, 3'600'000'000'000};

// For what a turn of an event loop takes: 10 us to 1 s.
inline constexpr std::array<int64_t, 11> kLoopBucketsNs = {
    10'000,     25'000,     100'000,     250'000,     1'000'000,    2'500'000,
    10'000'000, 25'000'000, 100'000'000, 250'000'000, 1'000'000'000};

// Counts per bucket, not cumulative; Prometheus' cumulative form is made at scrape.
template <size_t N>
class Histogram {
 public:
  // `bounds` must outlive the histogram: use one of the constants above.
  explicit constexpr Histogram(const std::array<int64_t, N>& bounds) : bounds_(&bounds) {}

  // A negative value (a clock that was set back) counts as 0.
  void observe(int64_t ns) {
    const int64_t value = std::max<int64_t>(ns, 0);
    // Most steps and calls take next to no time.
    const auto at = value <= bounds_->front()
                        ? bounds_->begin()
                        : std::lower_bound(bounds_->begin(), bounds_->end(), value);
    ++counts_[static_cast<size_t>(at - bounds_->begin())];
    sum_ns_ += static_cast<uint64_t>(value);
  }

  const std::array<int64_t, N>& bounds() const { return *bounds_; }
  // counts()[i] observations were in (bounds[i-1], bounds[i]]; the last is everything above.
  const std::array<uint64_t, N + 1>& counts() const { return counts_; }
  uint64_t sum_ns() const { return sum_ns_; }
  uint64_t count() const {
    uint64_t all = 0;
    for (const uint64_t n : counts_) all += n;
    return all;
  }

 private:
  const std::array<int64_t, N>* bounds_;
  std::array<uint64_t, N + 1> counts_{};
  uint64_t sum_ns_ = 0;
};

// Ready to use: `JobHistogram run_duration;`
struct JobHistogram : Histogram<kJobBucketsNs.size()> {
  constexpr JobHistogram() : Histogram(kJobBucketsNs) {}
};
struct LoopHistogram : Histogram<kLoopBucketsNs.size()> {
  constexpr LoopHistogram() : Histogram(kLoopBucketsNs) {}
};

}  // namespace fermata
