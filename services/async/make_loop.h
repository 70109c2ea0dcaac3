// make_loop: the loop that this machine runs best, or the one that was asked for.
//
//   std::string why;
//   std::unique_ptr<MainLoop> loop = make_loop(LoopKind::kAuto, kThreads, &why);
//   log("runs on {}: {}", loop->kind(), why);
//
// io_uring is there only where the kernel offers it and nothing forbids it (containers often do),
// so asking for it may give epoll; kind() says what it is, and `why` the reason. The environment
// variable FERMATA_LOOP (auto, epoll or io_uring) decides for kAuto.
#ifndef SERVICES_ASYNC_MAKE_LOOP_H_
#define SERVICES_ASYNC_MAKE_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/async/kernel_loop.h"

namespace fermata {

enum class LoopKind : std::uint8_t { kAuto, kEpoll, kIoUring };

// "auto", "epoll", "io_uring".
std::optional<LoopKind> parse_loop_kind(std::string_view name) noexcept;

std::unique_ptr<KernelLoop> make_loop(LoopKind preferred = LoopKind::kAuto,
                                      std::size_t offload_threads = KernelLoop::kOffloadThreads,
                                      std::string* why = nullptr);

}  // namespace fermata

#endif  // SERVICES_ASYNC_MAKE_LOOP_H_
