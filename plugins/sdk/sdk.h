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
#include "services/async/async.h"

#endif  // PLUGINS_SDK_SDK_H_
