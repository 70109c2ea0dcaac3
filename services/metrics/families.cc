#include "services/metrics/families.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

prometheus::ClientMetric& Families::sample(std::string_view name, std::string_view help,
                                           prometheus::MetricType type, MetricLabels labels) {
  auto at = by_name_.find(name);
  if (at == by_name_.end()) {
    prometheus::MetricFamily family;
    family.name = std::string(name);
    family.help = std::string(help);
    family.type = type;
    at = by_name_.emplace(family.name, std::move(family)).first;
  }
  prometheus::ClientMetric& metric = at->second.metric.emplace_back();
  for (const auto& [key, value] : labels) {
    metric.label.push_back({std::string(key), std::string(value)});
  }
  return metric;
}

void Families::counter(std::string_view name, std::string_view help, MetricLabels labels,
                       double value) {
  sample(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

void Families::gauge(std::string_view name, std::string_view help, MetricLabels labels,
                     double value) {
  sample(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void Families::histogram(std::string_view name, std::string_view help, MetricLabels labels,
                         absl::Span<const double> upper_seconds, absl::Span<const uint64_t> counts,
                         double sum_seconds) {
  auto& out = sample(name, help, prometheus::MetricType::Histogram, labels).histogram;
  uint64_t so_far = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    so_far += counts[i];
    const bool last = i >= upper_seconds.size();
    out.bucket.push_back(
        {so_far, last ? std::numeric_limits<double>::infinity() : upper_seconds[i]});
  }
  out.sample_count = so_far;
  out.sample_sum = sum_seconds;
}

std::vector<prometheus::MetricFamily> Families::take() {
  std::vector<prometheus::MetricFamily> out;
  out.reserve(by_name_.size());
  for (auto& [name, family] : by_name_) out.push_back(std::move(family));
  by_name_.clear();
  return out;
}

std::string naming_problem(const prometheus::MetricFamily& family) {
  const std::string& name = family.name;
  const auto say = [&](const char* what) { return absl::StrCat(name, ": ", what); };
  const bool standard = absl::StartsWith(name, "process_");  // every client library has these
  if (!absl::StartsWith(name, "fermata_") && !standard) {
    return say("expected the prefix fermata_");
  }
  if (!std::all_of(name.begin(), name.end(), is_name_character)) {
    return say("expected lower case letters, digits and _ only");
  }
  if (family.help.empty()) return say("has no HELP");
  const bool counter = family.type == prometheus::MetricType::Counter;
  if (counter != absl::EndsWith(name, "_total")) {
    return say(counter ? "a counter ends in _total" : "only a counter ends in _total");
  }
  if (family.type == prometheus::MetricType::Histogram && !absl::EndsWith(name, "_seconds") &&
      !absl::EndsWith(name, "_bytes")) {
    return say("a histogram says its base unit, _seconds or _bytes");
  }
  for (const char* unit : {"_ms", "_us", "_ns", "_milliseconds", "_kb", "_mb", "_minutes"}) {
    if (absl::EndsWith(name, unit) || absl::EndsWith(name, absl::StrCat(unit, "_total"))) {
      return say("expected a base unit (_seconds, _bytes)");
    }
  }
  return "";
}

}  // namespace fermata
