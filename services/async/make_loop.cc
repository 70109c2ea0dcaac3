#include "services/async/make_loop.h"

#include <cstdlib>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/async/epoll_loop.h"
#include "services/async/uring_loop.h"

namespace fermata {
namespace {

constexpr char kVariable[] = "FERMATA_LOOP";

// By a tenth, measured on TCP echo (tests/bench/async, R7).
constexpr LoopKind kBest = LoopKind::kIoUring;

LoopKind decide(LoopKind preferred, std::string& why) {
  if (preferred != LoopKind::kAuto) {
    why = "asked for";
    return preferred;
  }
  why = "the best for sockets";
  const char* const value = std::getenv(kVariable);
  if (value == nullptr) return kBest;
  const std::optional<LoopKind> kind = parse_loop_kind(value);
  if (!kind.has_value()) {
    why = absl::StrCat("ignored ", kVariable, "=", value, ", expected auto, epoll or io_uring");
    return kBest;
  }
  if (*kind == LoopKind::kAuto) return kBest;
  why = absl::StrCat(kVariable, "=", value);
  return *kind;
}

}  // namespace

std::optional<LoopKind> parse_loop_kind(std::string_view name) noexcept {
  if (name == "auto") return LoopKind::kAuto;
  if (name == "epoll") return LoopKind::kEpoll;
  if (name == "io_uring") return LoopKind::kIoUring;
  return std::nullopt;
}

std::unique_ptr<KernelLoop> make_loop(LoopKind preferred, std::size_t offload_threads,
                                      std::string* why) {
  std::string reason;
  const LoopKind kind = decide(preferred, reason);
  std::unique_ptr<KernelLoop> loop;
  if (kind == LoopKind::kIoUring) {
    absl::StatusOr<std::unique_ptr<UringLoop>> uring = UringLoop::make(offload_threads);
    if (uring.ok()) {
      loop = *std::move(uring);
    } else {
      reason = std::string(uring.status().message());
    }
  }
  if (loop == nullptr) loop = std::make_unique<EpollLoop>(offload_threads);
  if (why != nullptr) *why = std::move(reason);
  return loop;
}

}  // namespace fermata
