// Families: collects samples and groups them into Prometheus families, at scrape time.
//
// Prometheus wants every sample of a family together under one HELP and one TYPE, while our numbers
// lie around by queue, stage or loop. A source (scrape.h) calls counter(), gauge() and histogram()
// in any order; take() gives the families, sorted by name. Lives for one scrape on one thread.
//
// Names follow prometheus.io/docs/practices/naming: fermata_ first, base units, plural, _total for
// counters; naming_problem() says which rule a family breaks, and tests ask it about all of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "prometheus/metric_family.h"
#include "services/metrics/counters.h"

namespace fermata {

// Label names and values. Values come from closed sets or configuration, never from job ids.
using MetricLabels = absl::Span<const std::pair<std::string_view, std::string_view>>;

class Families {
 public:
  void counter(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void gauge(std::string_view name, std::string_view help, MetricLabels labels, double value);

  // `upper_seconds` ascending; `counts` has one more entry, for what is above them all; counts are
  // per bucket, not cumulative.
  void histogram(std::string_view name, std::string_view help, MetricLabels labels,
                 absl::Span<const double> upper_seconds, absl::Span<const uint64_t> counts,
                 double sum_seconds);

  template <size_t N>
  void histogram(std::string_view name, std::string_view help, MetricLabels labels,
                 const Histogram<N>& from) {
    std::vector<double> upper(N);
    for (size_t i = 0; i < N; ++i) upper[i] = static_cast<double>(from.bounds()[i]) * 1e-9;
    histogram(name, help, labels, upper, from.counts(), static_cast<double>(from.sum_ns()) * 1e-9);
  }

  // All families so far, by name; leaves this empty.
  std::vector<prometheus::MetricFamily> take();

 private:
  prometheus::ClientMetric& sample(std::string_view name, std::string_view help,
                                   prometheus::MetricType type, MetricLabels labels);

  std::map<std::string, prometheus::MetricFamily, std::less<>> by_name_;
};

// What is wrong with a family's name, help or type; empty when nothing is.
std::string naming_problem(const prometheus::MetricFamily& family);

}  // namespace fermata
