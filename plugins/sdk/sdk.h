// The C++ SDK: a stage is one class, its run() is one coroutine.
//
//   class Delay {
//    public:
//     static const fermata::StageSpec& spec();
//     static absl::StatusOr<std::unique_ptr<Delay>> create(fermata::Instance& instance,
//     std::string_view config); fermata::Co<absl::StatusOr<std::string>> run(fermata::Call& call);
//   };
//   FERMATA_PLUGIN("dev.fermata.time", "1.0.0", Delay)
//
// Inside run() all of services/async works: sleep, gather, Queue, timeout, offload, readable. A
// cancelled call has its frames destroyed innermost first, like any other coroutine. run()'s status
// decides about a retry (README.md). Build with fermata_plugin() of plugin.bzl; the flags there are
// part of the contract.
#ifndef PLUGINS_SDK_SDK_H_
#define PLUGINS_SDK_SDK_H_

#include "plugins/sdk/call.h"
#include "plugins/sdk/instance.h"
#include "plugins/sdk/metrics.h"
#include "plugins/sdk/plugin.h"
#include "plugins/sdk/stage_spec.h"
// The core but for the loops of a program of its own (they need liburing).
#include "services/async/awaitable.h"
#include "services/async/cancel_reason.h"
#include "services/async/cancel_scope.h"
#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/condition.h"
#include "services/async/context_var.h"
#include "services/async/descriptor.h"
#include "services/async/event.h"
#include "services/async/for_each.h"
#include "services/async/future.h"
#include "services/async/gather.h"
#include "services/async/generator.h"
#include "services/async/io.h"
#include "services/async/lock.h"
#include "services/async/loop.h"
#include "services/async/offload.h"
#include "services/async/outcome.h"
#include "services/async/ps.h"
#include "services/async/queue.h"
#include "services/async/quorum.h"
#include "services/async/semaphore.h"
#include "services/async/shield.h"
#include "services/async/sleep.h"
#include "services/async/task.h"
#include "services/async/task_group.h"
#include "services/async/timeout.h"
#include "services/async/try.h"

#endif  // PLUGINS_SDK_SDK_H_
