#include "services/async/main_loop.h"

namespace fermata {
namespace {

// A coroutine that exists already, in the shape of one that is started with no arguments.
struct NoArguments {
  static detail::Body<absl::Status> start(detail::Body<absl::Status>* body) noexcept {
    return std::move(*body);
  }
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
  const Task<void> main = root_->adopt(new (kName) Block(kName, &body));
  while (!main.done()) turn();
  root_->cancel(CancelReason::kShutdown);
  while (root_->size() != 0) turn();
  run_deliveries();
  absl::Status status = main.outcome().status();
  // What cancelled main says more than that it was cancelled.
  if ((status.ok() || main.outcome().cancelled()) && !root_->status().ok()) {
    status = root_->status();
  }
  root_.reset();
  return finish(std::move(status));
}

}  // namespace fermata
