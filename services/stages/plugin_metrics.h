// PluginMetrics: the counters, gauges and histograms that one stage instance defined for itself.
//
// Defined in create() only, then updated by number: one look-up by label values, one add, no lock.
// The number of series is capped, because label values come from a plugin and may be anything;
// beyond the cap updates are dropped and counted. Loop thread only; a scrape reads it there too.
#ifndef SERVICES_STAGES_PLUGIN_METRICS_H_
#define SERVICES_STAGES_PLUGIN_METRICS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/abi/fermata_abi.h"

namespace fermata {

struct PluginMetricSeries {
  std::vector<std::string> label_values;
  double value = 0;               // counter, gauge; histogram: the sum
  uint64_t count = 0;             // histogram
  std::vector<uint64_t> buckets;  // histogram, not cumulative; the last is above every bound
};

struct PluginMetric {
  uint32_t kind = FERMATA_METRIC_COUNTER;
  std::string name;  // without the prefix fermata_plugin_
  std::string help;
  std::vector<std::string> labels;
  std::vector<double> bounds;
  std::map<std::string, PluginMetricSeries> series;  // key: the label values, joined by '\0'
};

class PluginMetrics {
 public:
  static constexpr size_t kMaxMetrics = 100;
  static constexpr size_t kMaxSeries = 1000;  // of all metrics together
  static constexpr uint32_t kMaxLabels = 8;
  static constexpr size_t kMaxLabelBytes = 200;

  // Before each create(): versions of a plugin share one object, so that a reload resets no number.
  // A metric that is defined again, the same in every way, goes on; one that is not begins anew.
  void begin_definitions();
  // E_INVALID: a bad name, label or bound, the same name twice, or too many.
  fermata_status define(const fermata_metric_def& def, uint32_t* id);
  fermata_status update(uint32_t id, double value, const fermata_str* label_values, uint32_t count);

  // What a plugin's own process has counted since its start. `before` is what the same process said
  // the last time, nothing at first, and becomes `now`: only what came since is added, so that
  // neither another process nor another version makes a number go down. False, and nothing changes,
  // when a name, label, bound or number of series is not what define() and update() can make.
  bool add_from_process(std::vector<PluginMetric> now, std::vector<PluginMetric>& before);

  const std::vector<PluginMetric>& all() const { return metrics_; }
  uint64_t dropped() const { return dropped_; }

 private:
  PluginMetricSeries* series_of(PluginMetric& metric, const fermata_str* label_values,
                                uint32_t count);

  std::vector<PluginMetric> metrics_;
  std::vector<bool> defined_;  // since begin_definitions()
  size_t series_count_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_METRICS_H_
