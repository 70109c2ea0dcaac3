// Instance: one configured stage on one loop, as the stage's create() sees it. What a stage shares
// between its calls (a connection pool, a cache, a client) belongs to the stage object; its
// background work is spawned here.
//
// Lives longer than the stage object. Loop thread only. Before the stage object is destroyed, no
// call is left, and the spawned tasks have been cancelled and have ended.
#ifndef PLUGINS_SDK_INSTANCE_H_
#define PLUGINS_SDK_INSTANCE_H_

#include <string_view>
#include <utility>
#include <vector>

#include "plugins/sdk/call.h"
#include "plugins/sdk/metrics.h"
#include "services/async/task_group.h"

namespace fermata {

class Instance {
 public:
  virtual ~Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Starts background work: fn is a coroutine function returning Co<void>; args are copied.
  template <class F, class... A>
  void spawn(std::string_view name, F fn, A&&... args) {
    (void)group().spawn_named(name, fn, std::forward<A>(args)...);
  }

  virtual void log(LogLevel level, std::string_view message) = 0;

  // Metrics are defined in create() only. Names end up as
  // fermata_plugin_<name>{plugin=,stage=,<labels>}.
  virtual PluginCounter counter(std::string_view name, std::string_view help,
                                std::vector<std::string_view> labels = {}) = 0;
  virtual PluginGauge gauge(std::string_view name, std::string_view help,
                            std::vector<std::string_view> labels = {}) = 0;
  virtual PluginHistogram histogram(std::string_view name, std::string_view help,
                                    std::vector<double> bounds,
                                    std::vector<std::string_view> labels = {}) = 0;

 protected:
  Instance() = default;
  virtual TaskGroup& group() = 0;
};

}  // namespace fermata

#endif  // PLUGINS_SDK_INSTANCE_H_
