// What a plugin counts for itself is exported under the plugin's own name.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/fermatad/plugin_metric_source.h"
#include "services/metrics/families.h"
#include "tests/stages/testing/call_rules.h"

namespace fermata {
namespace {

class PluginMetricsTest : public CallRules {};

TEST_F(PluginMetricsTest, APluginsCountersAreFamiliesOfItsOwn) {
  uint32_t counter = 0;
  uint32_t histogram = 0;
  plugin.on_create = [this, &counter, &histogram] {
    const fermata_str label = {"code", 4};
    const double bounds[] = {1, 10};
    fermata_metric_def def{};
    def.struct_size = sizeof def;
    def.kind = FERMATA_METRIC_COUNTER;
    def.name = {"pages_total", 11};
    def.help = {"Pages.", 6};
    def.labels = &label;
    def.n_labels = 1;
    EXPECT_EQ(plugin.host->metric_define(plugin.instance, &def, &counter), FERMATA_OK);
    def.kind = FERMATA_METRIC_HISTOGRAM;
    def.name = {"page_bytes", 10};
    def.n_labels = 0;
    def.bounds = bounds;
    def.n_bounds = 2;
    EXPECT_EQ(plugin.host->metric_define(plugin.instance, &def, &histogram), FERMATA_OK);
    return FERMATA_OK;
  };
  plugin.on_start = [this, &counter, &histogram](ScriptedCall&) {
    const fermata_str code = {"200", 3};
    EXPECT_EQ(plugin.host->metric_update(plugin.instance, counter, 2, &code, 1), FERMATA_OK);
    for (double value : {0.5, 5.0, 50.0}) {
      EXPECT_EQ(plugin.host->metric_update(plugin.instance, histogram, value, nullptr, 0),
                FERMATA_OK);
    }
    return FERMATA_OK;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    Families families;
    add_plugin_metrics(host, families);
    const std::vector<prometheus::MetricFamily> found = families.take();
    EXPECT_EQ(found.size(), 2u);
    if (found.size() != 2) co_return outcome.status;
    EXPECT_EQ(found[0].name, "fermata_plugin_scripted_page_bytes");
    EXPECT_EQ(found[0].metric.at(0).histogram.sample_count, 3u);
    EXPECT_EQ(found[0].metric.at(0).histogram.sample_sum, 55.5);
    EXPECT_EQ(found[0].metric.at(0).histogram.bucket.at(1).cumulative_count, 2u);
    EXPECT_EQ(found[1].name, "fermata_plugin_scripted_pages_total");
    EXPECT_EQ(found[1].metric.at(0).counter.value, 2);
    EXPECT_EQ(found[1].metric.at(0).label.at(0).value, "stage");
    EXPECT_EQ(found[1].metric.at(0).label.at(1).value, "200");
    for (const prometheus::MetricFamily& family : found) EXPECT_EQ(naming_problem(family), "");
    co_return outcome.status;
  });
}

}  // namespace
}  // namespace fermata
