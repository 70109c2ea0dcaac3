#include "services/async/main_loop.h"

#include "services/async/ps.h"

namespace fermata {
namespace {

// A coroutine that exists already, in the shape of one that is started with no arguments.
struct NoArguments {
  static detail::Body<absl::Status> start(detail::Body<absl::Status>* body) noexcept {
    return std::move(*body);
  }
};

struct GraceTimer : Timer {
  GraceTimer(Loop& loop, absl::Duration grace) noexcept
      : Timer([](Timer& timer) noexcept {
          Loop& loop = static_cast<GraceTimer&>(timer).loop;
          loop.report_lingering(lingering(loop));
        }),
        loop(loop) {
    if (grace != absl::InfiniteDuration()) loop.timers().arm(*this, loop.deadline_after(grace));
  }
  Loop& loop;
};

}  // namespace

absl::Status MainLoop::run_body(detail::Body<absl::Status> body) {
  const Entered entered(*this);
  FERMATA_CHECK(!root_.has_value(), "run() inside run()");
  FERMATA_CHECK(!detail::Destroying<kChecked>::here(),
                "a destructor runs a loop, and blocks its own");
  root_.emplace();
  constexpr std::string_view kName = "main";
  using Block = detail::TaskBlock<absl::Status, NoArguments>;
  Block* const block = new (kName) Block(kName, &body);
  const Task<void> main = root_->adopt(block);
  main_task_ = block;
  while (!main.done()) turn();
  root_->cancel(CancelReason::kShutdown);
  GraceTimer grace(*this, grace_);
  while (root_->size() != 0) turn();
  if (grace.armed()) grace.disarm();
  run_deliveries();
  absl::Status status = main.outcome().status();
  // What cancelled main says more than that it was cancelled.
  if ((status.ok() || main.outcome().cancelled()) && !root_->status().ok()) {
    status = root_->status();
  }
  root_.reset();
  main_task_ = nullptr;
  return finish(std::move(status));
}

}  // namespace fermata
