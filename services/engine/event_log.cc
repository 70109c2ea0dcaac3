#include "services/engine/event_log.h"

#include <algorithm>
#include <utility>

#include "services/async/check.h"
#include "services/engine/watch.h"

namespace fermata {

EventLog::EventLog(size_t capacity, int64_t sequence, std::function<JobView()> view,
                   std::shared_ptr<int64_t> readers)
    : capacity_(capacity),
      complete_since_(sequence),
      view_(std::move(view)),
      readers_(std::move(readers)) {
  FERMATA_CHECK(capacity_ > 0, "a log without room cannot tell how a job ended");
}

void EventLog::add(JobEvent event) {
  FERMATA_CHECK(!closed_, "an event of a job that has ended");
  if (events_.size() == capacity_) {
    complete_since_ = events_.front().sequence;
    events_.pop_front();
  }
  events_.push_back(std::move(event));
  // Wakes who waits now; who comes later looks at the events first.
  changed_.set();
  changed_.clear();
}

void EventLog::close() {
  closed_ = true;
  view_ = nullptr;
  changed_.set();
}

bool EventLog::left() const {
  return closed_ && (events_.empty() || events_.back().kind != JobEventKind::kFinished);
}

std::optional<JobEvent> EventLog::next(int64_t after) const {
  if (after < complete_since_) {
    if (left()) return std::nullopt;  // whoever reads on begins with a snapshot
    if (closed_) return events_.back();
    JobEvent snapshot;
    snapshot.kind = JobEventKind::kSnapshot;
    snapshot.job = view_();
    snapshot.sequence = snapshot.job->sequence;
    snapshot.state = snapshot.job->state;
    snapshot.time = now();
    return snapshot;
  }
  const auto first =
      std::upper_bound(events_.begin(), events_.end(), after,
                       [](int64_t seen, const JobEvent& event) { return seen < event.sequence; });
  if (first == events_.end()) return std::nullopt;
  return *first;
}

EventLog::Pace& EventLog::pace(size_t stage) {
  if (stage >= paces_.size()) paces_.resize(stage + 1);
  return paces_[stage];
}

Watch::Watch(std::shared_ptr<EventLog> log, int64_t after_sequence)
    : log_(std::move(log)), after_(after_sequence) {
  log_->reader_came();
}

Watch::Watch(Watch&& other) noexcept : log_(std::move(other.log_)), after_(other.after_) {}

Watch& Watch::operator=(Watch&& other) noexcept {
  std::swap(log_, other.log_);
  std::swap(after_, other.after_);
  return *this;
}

Watch::~Watch() {
  if (log_ != nullptr) log_->reader_left();
}

bool Watch::left() const { return log_->left(); }

Co<std::optional<JobEvent>> Watch::next() {
  for (;;) {
    std::optional<JobEvent> event = log_->next(after_);
    if (event.has_value()) {
      after_ = event->sequence;
      co_return event;
    }
    if (log_->closed()) co_return std::nullopt;
    co_await log_->changed().wait();
  }
}

}  // namespace fermata
