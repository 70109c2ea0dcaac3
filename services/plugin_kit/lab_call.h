// What the laboratory knows of a call, an instance and their ops. Plain data: LabHost moves it.
//
// Handles that a plugin gets are pointers to these; they stay readable until the LabHost goes, so
// that a handle used too late is a finding and not a crash.
#ifndef SERVICES_PLUGIN_KIT_LAB_CALL_H_
#define SERVICES_PLUGIN_KIT_LAB_CALL_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "plugins/abi/fermata_abi.h"

namespace fermata::kit {

struct LabCall;
struct LabInstance;
class LabHost;

struct LabOp {
  LabCall* call = nullptr;
  fermata_event event{};
  uint32_t flags = 0;
  uint64_t due_ns = 0;  // TIMER
  int fd = -1;          // FD
  uint32_t poll_events = 0;
  std::string input;  // STAGE
  bool completed = false;
};

enum class LabState { kRunning, kEnding, kFinished };

struct LabCall {
  LabHost* host = nullptr;
  LabInstance* instance = nullptr;
  bool root = false;
  void* state = nullptr;
  LabState life = LabState::kRunning;
  std::map<uint64_t, std::unique_ptr<LabOp>> ops;  // by token
  std::string job_id;
  uint64_t deadline_ns = 0;
  std::atomic<uint32_t> cancelled{0};  // FERMATA_CANCEL_*; read by workers
  uint32_t credit = 0;
  bool would_block = false;  // since the last credit event
  bool working = false;      // inside blocking()

  // How it ended, and what came out.
  fermata_status status = FERMATA_PENDING;
  bool has_output = false;
  std::string output;
  std::vector<std::string> chunks;
  std::string failure;
  uint64_t cancelled_ns = 0, ended_ns = 0;
  uint32_t entries = 0;  // of start() and resume()
  double progress = -1;
};

struct LabMetric {
  std::string name;
  uint32_t kind = 0;
  uint32_t labels = 0;
  std::set<std::string> series;
};

struct LabInstance {
  LabHost* host = nullptr;
  const fermata_stage* stage = nullptr;
  void* object = nullptr;
  LabCall root;
  bool creating = false;
  bool alive = false;
  std::string failure;  // fail_detail() during create()
  std::vector<LabMetric> metrics;
};

// "TIMER", "FD", ...: for messages.
const char* event_name(uint32_t kind);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_LAB_CALL_H_
