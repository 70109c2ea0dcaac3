// RpcHub: what the calls of one server share, on the loop's thread.
//
// `serve()` owns the task group in which every call runs; before it runs and after it has ended,
// calls are answered UNAVAILABLE. Made before the gRPC server, destroyed after it.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "services/async/async.h"
#include "services/config/redactor.h"
#include "services/frontend/audit_log.h"
#include "services/frontend/authenticator.h"
#include "services/frontend/call_quota.h"
#include "services/frontend/rpc_counters.h"

namespace fermata {
class Engine;
class PipelineLibrary;
class Stages;
}  // namespace fermata

namespace fermata::frontend {

class RpcCall;

// What calls work on; outlives the server. Loop thread.
struct Backend {
  Engine& engine;
  const PipelineLibrary& pipelines;
  const Stages& stages;
};

// Constant while the server runs; any thread.
struct RpcLimits {
  uint64_t payload = uint64_t{4} << 20;  // bytes of one job's input or inline pipeline
};

// Who may call, and what is written about it. Each of them says which threads may touch it.
struct Guard {
  explicit Guard(const CallLimits& limits) : quota(limits) {}
  Authenticator authenticator{nullptr};
  CallQuota quota;
  std::unique_ptr<AuditLog> audit;  // null: none
  Redactor redactor;
  RefusalCounters refusals;
};

class RpcHub {
 public:
  RpcHub(Loop& loop, Backend backend, RpcLimits limits, Guard& guard)
      : loop(loop), backend(backend), limits(limits), guard(guard) {}
  RpcHub(const RpcHub&) = delete;

  Loop& loop;
  const Backend backend;
  const RpcLimits limits;
  Guard& guard;
  RpcCounters counters;        // loop thread
  TaskGroup* group = nullptr;  // loop thread; null when not serving
  // Loop thread: calls that go on for as long as their callers' credentials do (revocation.h).
  absl::flat_hash_set<RpcCall*> lasting;
  bool stopping = false;  // loop thread; calls cancelled from now on are told DRAINING
};

}  // namespace fermata::frontend
