#include "services/fermatad/metric_sources.h"

namespace fermata {

void add_guard_metrics(const frontend::Guard& guard, const frontend::DoorCounters& door,
                       Families& out) {
  for (size_t kind = 0; kind < frontend::kRefusalKindNames.size(); ++kind) {
    const uint64_t refused = guard.refusals.refused[kind].load(std::memory_order_relaxed);
    out.counter("fermata_rpc_refused_total", "gRPC calls that were refused before they were read.",
                {{"reason", frontend::kRefusalKindNames[kind]}}, static_cast<double>(refused));
  }
  out.gauge("fermata_rpc_held_bytes", "Requests not yet taken and answers not yet sent.", {},
            static_cast<double>(guard.quota.bytes()));
  out.counter("fermata_connections_accepted_total", "Connections of clients.", {},
              static_cast<double>(door.accepted));
  out.counter("fermata_connections_turned_away_total",
              "Connections closed at once, for want of descriptors.", {},
              static_cast<double>(door.turned_away));
  out.counter("fermata_accept_pauses_total", "Pauses of accepting, out of descriptors or memory.",
              {}, static_cast<double>(door.pauses));
  out.counter("fermata_audit_lines_lost_total", "Audit lines that found no room, or no disk.", {},
              guard.audit == nullptr ? 0 : static_cast<double>(guard.audit->lost()));
}

}  // namespace fermata
