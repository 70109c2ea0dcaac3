// What /metrics says, room by room: each function turns one room's plain numbers into families.
//
// They run on the loop at scrape. Names and help texts are part of the product (dashboards and
// alerts name them): once shipped, they stay. services/fermatad/README.md lists them.
#pragma once

#include "services/async/loop.h"
#include "services/engine/engine_stats.h"
#include "services/frontend/front_door.h"
#include "services/frontend/rpc_counters.h"
#include "services/frontend/rpc_hub.h"
#include "services/metrics/families.h"
#include "services/stages/stages.h"
#include "services/store/job_store.h"

namespace fermata {

void add_build_metrics(Families& families);
void add_process_metrics(Families& families);
void add_loop_metrics(const LoopStats& stats, Families& families);
void add_engine_metrics(const EngineStats& stats, absl::Time now, Families& families);
void add_store_metrics(const StoreStats& stats, Families& families);
void add_stage_metrics(const Stages& stages, Families& families);
void add_rpc_metrics(const frontend::RpcCounters& counters, Families& families);
void add_guard_metrics(const frontend::Guard& guard, const frontend::DoorCounters& door,
                       Families& families);

}  // namespace fermata
