// PluginCounter, PluginGauge, PluginHistogram. Small handles: copy them freely. An update is one
// call into the server, which adds to a plain number of this loop. Loop thread only.
#ifndef PLUGINS_SDK_METRICS_H_
#define PLUGINS_SDK_METRICS_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "plugins/abi/fermata_abi.h"

namespace fermata {

class Metric {
 public:
  Metric() = default;  // updates do nothing
  Metric(const fermata_host* host, fermata_instance* instance, uint32_t id)
      : host_(host), instance_(instance), id_(id) {}

 protected:
  void update(double value, std::initializer_list<std::string_view> labels) const;

 private:
  const fermata_host* host_ = nullptr;
  fermata_instance* instance_ = nullptr;
  uint32_t id_ = 0;
};

class PluginCounter : public Metric {
 public:
  using Metric::Metric;
  void add(double value = 1, std::initializer_list<std::string_view> labels = {}) const {
    update(value, labels);
  }
};

class PluginGauge : public Metric {
 public:
  using Metric::Metric;
  void set(double value, std::initializer_list<std::string_view> labels = {}) const {
    update(value, labels);
  }
};

class PluginHistogram : public Metric {
 public:
  using Metric::Metric;
  void observe(double value, std::initializer_list<std::string_view> labels = {}) const {
    update(value, labels);
  }
};

}  // namespace fermata

#endif  // PLUGINS_SDK_METRICS_H_
