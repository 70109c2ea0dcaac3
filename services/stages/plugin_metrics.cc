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

bool PluginMetrics::replace(std::vector<PluginMetric> metrics) {
  PluginMetrics checked;
  for (PluginMetric& metric : metrics) {
    fermata_metric_def def{};
    def.struct_size = sizeof def;
    def.kind = metric.kind;
    def.name = str_of(metric.name);
    def.help = str_of(metric.help);
    std::vector<fermata_str> labels;
    for (const std::string& label : metric.labels) labels.push_back(str_of(label));
    def.labels = labels.data();
    def.n_labels = static_cast<uint32_t>(labels.size());
    def.bounds = metric.bounds.data();
    def.n_bounds = static_cast<uint32_t>(metric.bounds.size());
    uint32_t id = 0;
    if (checked.define(def, &id) != FERMATA_OK) return false;
    checked.series_count_ += metric.series.size();
    if (checked.series_count_ > kMaxSeries) return false;
    checked.metrics_.back().series = std::move(metric.series);
  }
  *this = std::move(checked);
  return true;
}

}  // namespace fermata
