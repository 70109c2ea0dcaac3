#include "services/stages/plugin_metrics.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "services/stages/loaded_plugin.h"

namespace fermata {
namespace {

// Prometheus' rule without the colon, which is for recording rules.
bool valid_metric_name(std::string_view name) {
  if (name.empty() || name.size() > 100 || absl::ascii_isdigit(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

bool valid_label_name(std::string_view name) {
  // "__" is Prometheus' own; "plugin" and "stage" are added by the host.
  return valid_metric_name(name) && name.substr(0, 2) != "__" && name != "plugin" &&
         name != "stage" && name != "le";
}

bool valid_bounds(const fermata_metric_def& def) {
  if (def.kind != FERMATA_METRIC_HISTOGRAM) return def.n_bounds == 0;
  if (def.n_bounds == 0 || def.n_bounds > 50 || def.bounds == nullptr) return false;
  for (uint32_t i = 0; i < def.n_bounds; ++i) {
    if (!std::isfinite(def.bounds[i]) || (i > 0 && def.bounds[i] <= def.bounds[i - 1]))
      return false;
  }
  return true;
}

bool same_shape(const PluginMetric& a, const PluginMetric& b) {
  return a.kind == b.kind && a.labels == b.labels && a.bounds == b.bounds;
}

// A metric as a plugin would define it.
class DefinedAs {
 public:
  explicit DefinedAs(const PluginMetric& metric) {
    for (const std::string& label : metric.labels) labels_.push_back(str_of(label));
    def_.struct_size = sizeof def_;
    def_.kind = metric.kind;
    def_.name = str_of(metric.name);
    def_.help = str_of(metric.help);
    def_.labels = labels_.data();
    def_.n_labels = static_cast<uint32_t>(labels_.size());
    def_.bounds = metric.bounds.data();
    def_.n_bounds = static_cast<uint32_t>(metric.bounds.size());
  }
  DefinedAs(const DefinedAs&) = delete;
  fermata_status in(PluginMetrics& metrics, uint32_t* id) const { return metrics.define(def_, id); }

 private:
  std::vector<fermata_str> labels_;
  fermata_metric_def def_{};
};

// Whether define() and update() could have made them.
bool possible(const std::vector<PluginMetric>& metrics) {
  PluginMetrics defined;
  size_t series_count = 0;
  for (const PluginMetric& metric : metrics) {
    uint32_t id = 0;
    if (DefinedAs(metric).in(defined, &id) != FERMATA_OK) return false;
    const size_t buckets = metric.kind == FERMATA_METRIC_HISTOGRAM ? metric.bounds.size() + 1 : 0;
    series_count += metric.series.size();
    for (const auto& [key, series] : metric.series) {
      if (series.label_values.size() != metric.labels.size()) return false;
      if (series.buckets.size() != buckets) return false;
      if (metric.kind == FERMATA_METRIC_COUNTER && series.value < 0) return false;
    }
  }
  return series_count <= PluginMetrics::kMaxSeries;
}

// Of what only grows, what came since. A process that says less than before has counted anew.
template <class Number>
Number since(Number now, Number before) {
  if (now == before) return 0;  // infinity, too
  return now < before ? now : now - before;
}

void add_difference(uint32_t kind, const PluginMetricSeries& now, const PluginMetricSeries* before,
                    PluginMetricSeries& sum) {
  if (kind == FERMATA_METRIC_GAUGE) {
    sum.value = now.value;
    return;
  }
  // A histogram's sum may go down as well: values may be negative.
  const double value = before == nullptr ? 0 : before->value;
  sum.value += kind == FERMATA_METRIC_COUNTER ? since(now.value, value) : now.value - value;
  sum.count += since(now.count, before == nullptr ? 0 : before->count);
  for (size_t i = 0; i < now.buckets.size(); ++i) {
    sum.buckets[i] += since(now.buckets[i], before == nullptr ? 0 : before->buckets[i]);
  }
}

}  // namespace

void PluginMetrics::begin_definitions() { defined_.assign(metrics_.size(), false); }

fermata_status PluginMetrics::define(const fermata_metric_def& def, uint32_t* id) {
  if (!FERMATA_HAS(fermata_metric_def, &def, n_bounds)) return FERMATA_E_INVALID;
  if (def.kind < FERMATA_METRIC_COUNTER || def.kind > FERMATA_METRIC_HISTOGRAM)
    return FERMATA_E_UNSUPPORTED;
  if (!valid_metric_name(view_of(def.name)) || def.n_labels > kMaxLabels || !valid_bounds(def)) {
    return FERMATA_E_INVALID;
  }
  PluginMetric metric;
  metric.kind = def.kind;
  metric.name = std::string(view_of(def.name));
  metric.help = std::string(view_of(def.help));
  for (uint32_t i = 0; i < def.n_labels; ++i) {
    if (!valid_label_name(view_of(def.labels[i]))) return FERMATA_E_INVALID;
    metric.labels.emplace_back(view_of(def.labels[i]));
  }
  if (def.n_bounds > 0) metric.bounds.assign(def.bounds, def.bounds + def.n_bounds);
  for (size_t i = 0; i < metrics_.size(); ++i) {
    if (metrics_[i].name != metric.name) continue;
    if (defined_[i]) return FERMATA_E_INVALID;
    if (!same_shape(metrics_[i], metric)) continue;
    defined_[i] = true;
    metrics_[i].help = std::move(metric.help);
    *id = static_cast<uint32_t>(i + 1);
    return FERMATA_OK;
  }
  if (metrics_.size() >= kMaxMetrics) return FERMATA_E_INVALID;
  metrics_.push_back(std::move(metric));
  defined_.push_back(true);
  *id = static_cast<uint32_t>(metrics_.size());  // 0 is no metric
  return FERMATA_OK;
}

PluginMetricSeries* PluginMetrics::series_of(PluginMetric& metric, const fermata_str* label_values,
                                             uint32_t count) {
  std::string key;
  for (uint32_t i = 0; i < count; ++i) {
    key += view_of(label_values[i]).substr(0, kMaxLabelBytes);
    key += '\0';
  }
  const auto found = metric.series.find(key);
  if (found != metric.series.end()) return &found->second;
  if (series_count_ >= kMaxSeries) return nullptr;
  ++series_count_;
  PluginMetricSeries& series = metric.series[key];
  for (uint32_t i = 0; i < count; ++i) {
    series.label_values.emplace_back(view_of(label_values[i]).substr(0, kMaxLabelBytes));
  }
  if (metric.kind == FERMATA_METRIC_HISTOGRAM) series.buckets.resize(metric.bounds.size() + 1);
  return &series;
}

fermata_status PluginMetrics::update(uint32_t id, double value, const fermata_str* label_values,
                                     uint32_t count) {
  if (id == 0 || id > metrics_.size()) return FERMATA_E_INVALID;
  PluginMetric& metric = metrics_[id - 1];
  if (count != metric.labels.size() || std::isnan(value)) return FERMATA_E_INVALID;
  if (metric.kind == FERMATA_METRIC_COUNTER && value < 0) return FERMATA_E_INVALID;
  PluginMetricSeries* series = series_of(metric, label_values, count);
  if (series == nullptr) {
    ++dropped_;
    return FERMATA_E_NOMEM;
  }
  if (metric.kind == FERMATA_METRIC_GAUGE) {
    series->value = value;
    return FERMATA_OK;
  }
  series->value += value;
  if (metric.kind == FERMATA_METRIC_HISTOGRAM) {
    ++series->count;
    const auto at = std::lower_bound(metric.bounds.begin(), metric.bounds.end(), value);
    ++series->buckets[static_cast<size_t>(at - metric.bounds.begin())];
  }
  return FERMATA_OK;
}

bool PluginMetrics::add_from_process(std::vector<PluginMetric> now,
                                     std::vector<PluginMetric>& before) {
  if (!possible(now)) return false;
  begin_definitions();
  for (const PluginMetric& metric : now) {
    uint32_t id = 0;
    if (DefinedAs(metric).in(*this, &id) != FERMATA_OK) continue;  // too many, with other versions'
    const auto last =
        std::find_if(before.begin(), before.end(), [&metric](const PluginMetric& one) {
          return one.name == metric.name && same_shape(one, metric);
        });
    for (const auto& [key, series] : metric.series) {
      std::vector<fermata_str> values;
      for (const std::string& value : series.label_values) values.push_back(str_of(value));
      PluginMetricSeries* const sum =
          series_of(metrics_[id - 1], values.data(), static_cast<uint32_t>(values.size()));
      if (sum == nullptr) {
        ++dropped_;
        continue;
      }
      const PluginMetricSeries* known = nullptr;
      if (last != before.end()) {
        const auto found = last->series.find(key);
        if (found != last->series.end()) known = &found->second;
      }
      add_difference(metric.kind, series, known, *sum);
    }
  }
  before = std::move(now);
  return true;
}

}  // namespace fermata
