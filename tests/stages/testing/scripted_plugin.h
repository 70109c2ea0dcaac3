// ScriptedPlugin: a plugin at the raw ABI whose every entry is a function of the test.
//
// Linked into the test and added with PluginHost::add_plugin. It checks by itself what a host must
// never do: enter the plugin while it is inside (R3), deliver an event after a terminal return,
// finish twice. One at a time.
#ifndef TESTS_STAGES_TESTING_SCRIPTED_PLUGIN_H_
#define TESTS_STAGES_TESTING_SCRIPTED_PLUGIN_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plugins/abi/fermata_abi.h"

namespace fermata {

class ScriptedPlugin;

// One call's state inside the plugin.
struct ScriptedCall {
  ScriptedPlugin* plugin = nullptr;
  fermata_call* call = nullptr;
  std::string input;
  std::string job_id;
  uint64_t deadline_ns = 0;
  int events = 0;
  bool ended = false;
  uint64_t step = 0;  // for the script's own use
};

class ScriptedPlugin {
 public:
  ScriptedPlugin();
  ~ScriptedPlugin();

  const fermata_plugin* descriptor() const { return &plugin_; }
  // The second stage: answers its input at once.
  static constexpr char kStage[] = "scripted/stage";
  static constexpr char kEcho[] = "scripted/echo";

  std::function<fermata_status(ScriptedCall&)> on_start;
  std::function<fermata_status(ScriptedCall&, const fermata_event&)> on_resume;
  std::function<fermata_status(uint64_t token)> on_blocking;  // [worker]
  std::function<fermata_status()> on_create;
  std::function<void(const fermata_event&)> on_instance_event;

  const fermata_host* host = nullptr;
  fermata_instance* instance = nullptr;
  fermata_call* last_call = nullptr;  // may be gone
  std::vector<std::string> events;    // "TIMER 1 OK 0"
  std::vector<std::string> instance_events;
  int started = 0;
  int finished = 0;
  int destroyed = 0;
  int echoes_destroyed = 0;
  int created = 0;
  int quiesced = 0;

  uint64_t now_ns() const { return host->now_ns(instance); }
  // Emits `text` as the final output and returns what emit() says.
  fermata_status answer(ScriptedCall& call, const std::string& text) const;
  fermata_status fail(ScriptedCall& call, fermata_status status, const std::string& text) const;

 private:
  friend struct ScriptedEntries;
  fermata_stage stage_{};
  fermata_stage echo_{};
  const fermata_stage* stages_[2] = {&stage_, &echo_};
  fermata_plugin plugin_{};
  bool inside_ = false;
};

std::string describe(const fermata_event& event);

}  // namespace fermata

#endif  // TESTS_STAGES_TESTING_SCRIPTED_PLUGIN_H_
