#include "services/async/main_loop.h"

namespace fermata {
namespace {

// A coroutine that exists already, in the shape of a stored call.
class Adopted {
 public:
  explicit Adopted(detail::Body<absl::Status>&& body) noexcept : body_(std::move(body)) {}
  Adopted& call() noexcept { return *this; }
  detail::Body<absl::Status> release() noexcept { return std::move(body_); }

 private:
  detail::Body<absl::Status> body_;
};

}  // namespace

absl::Status MainLoop::run_body(detail::Body<absl::Status> body) {
  const Entered entered(*this);
  FERMATA_CHECK(!root_.has_value(), "run() inside run()");
  root_.emplace();
  const Task<void> main =
      root_->adopt(new detail::TaskBlock<absl::Status, Adopted>("main", std::move(body)));
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
