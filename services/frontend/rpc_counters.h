// What the front end counts: calls by method and code, calls in progress, how long they took.
//
// Plain numbers of the conductor's loop; every call that was let in ends there, also one that never
// decoded, so no other thread counts anything. Read at scrape, on the same loop. Calls that were
// refused at the gate (gate.h) never get there: they are counted in relaxed atomics, which order
// nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "services/frontend/rpc_method.h"
#include "services/metrics/counters.h"

namespace fermata::frontend {

// 100 us to 100 s: from a Submit to a Run that waits for its job.
inline constexpr std::array<int64_t, 13> kRpcBucketsNs = {
    100'000,        250'000,        1'000'000,      2'500'000,     10'000'000,
    25'000'000,     100'000'000,    250'000'000,    1'000'000'000, 2'500'000'000,
    10'000'000'000, 30'000'000'000, 100'000'000'000};

inline constexpr size_t kRpcCodes = 17;  // grpc::StatusCode 0 to 16

struct RpcHistogram : Histogram<kRpcBucketsNs.size()> {
  constexpr RpcHistogram() : Histogram(kRpcBucketsNs) {}
};

struct RpcCounters {
  std::array<std::array<Counter, kRpcCodes>, kRpcMethods> ended;  // by method and code
  std::array<Gauge, kRpcMethods> in_progress;
  std::array<RpcHistogram, kRpcMethods> duration;
};

// Why calls were refused before the loop heard of them.
enum class RefusalKind : uint8_t { kUnauthenticated, kPermissionDenied, kOverload };
inline constexpr std::array<const char*, 3> kRefusalKindNames = {"unauthenticated",
                                                                 "permission_denied", "overload"};

struct RefusalCounters {
  std::array<std::atomic<uint64_t>, kRefusalKindNames.size()> refused{};
};

}  // namespace fermata::frontend
