#include "services/fermatad/plugin_metric_source.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

// "my-plugin" may be a plugin's name, but not part of a metric's.
std::string family_name(const StageInfo& stage, const PluginMetric& metric) {
  std::string plugin = stage.use.substr(0, stage.use.find('/'));
  for (char& c : plugin) {
    if (c == '-') c = '_';
  }
  return absl::StrCat("fermata_plugin_", plugin, "_", metric.name);
}

void add_series(const std::string& name, const StageInfo& stage, const PluginMetric& metric,
                const PluginMetricSeries& series, Families& out) {
  std::vector<std::pair<std::string_view, std::string_view>> labels = {{"stage", stage.name}};
  for (size_t i = 0; i < metric.labels.size(); ++i) {
    labels.emplace_back(metric.labels[i], series.label_values[i]);
  }
  switch (metric.kind) {
    case FERMATA_METRIC_COUNTER:
      return out.counter(name, metric.help, labels, series.value);
    case FERMATA_METRIC_GAUGE:
      return out.gauge(name, metric.help, labels, series.value);
    default:
      return out.histogram(name, metric.help, labels, metric.bounds, series.buckets, series.value);
  }
}

}  // namespace

void add_plugin_process_metrics(const PluginHost& host, Families& out) {
  for (const PluginHost::ProcessView& view : host.process_views()) {
    const ProcessStats& stats = *view.stats;
    const std::vector<std::pair<std::string_view, std::string_view>> plugin = {
        {"plugin", view.plugin_id}};
    out.counter("fermata_plugin_process_starts_total",
                "Processes started for a plugin that runs in a process of its own.", plugin,
                static_cast<double>(stats.starts));
    out.counter("fermata_plugin_process_restarts_total",
                "Of these, after one that died by accident.", plugin,
                static_cast<double>(stats.restarts));
    for (const auto& [cause, count] : stats.crashes) {
      out.counter("fermata_plugin_process_crashes_total",
                  "Processes that died by accident, by signal or other cause.",
                  {{"plugin", view.plugin_id}, {"signal", cause}}, static_cast<double>(count));
    }
    out.gauge("fermata_plugin_processes", "Processes of a plugin that run now.", plugin,
              static_cast<double>(stats.running));
    out.gauge("fermata_plugin_process_breaker_open",
              "1 while a plugin crashes in a loop and its stages are unavailable.", plugin,
              static_cast<double>(stats.breaker_open));
  }
}

void add_plugin_metrics(const PluginHost& host, Families& out) {
  // Two stages of a plugin may define one name, but a family has one type and one set of labels.
  std::map<std::string, const PluginMetric*> first_of;
  for (const PluginHost::StageView& view : host.stage_views()) {
    for (const PluginMetric& metric : view.metrics->all()) {
      const std::string name = family_name(*view.info, metric);
      const PluginMetric* first = first_of.emplace(name, &metric).first->second;
      if (first->kind != metric.kind || first->labels != metric.labels) continue;
      for (const auto& [key, series] : metric.series) {
        add_series(name, *view.info, metric, series, out);
      }
    }
  }
}

void add_reload_metrics(const PluginHost& host, Families& out) {
  const ReloadCounts& counts = host.counts();
  const auto add = [&](const char* result, uint64_t count) {
    out.counter("fermata_plugin_reloads_total", "Plugin files that were looked at, by the result.",
                {{"result", result}}, static_cast<double>(count));
  };
  add("loaded", counts.loaded);
  add("unchanged", counts.unchanged);
  add("refused", counts.refused);
  add("rolled_back", counts.rolled_back);
}

}  // namespace fermata
