#include "services/cli/follow.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "services/cli/cat.h"
#include "services/cli/event_stream.h"
#include "services/cli/interrupts.h"
#include "services/cli/patience.h"
#include "services/cli/progress_view.h"
#include "services/cli/rpc_error.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);
// A server that restarts is back by then, or is not coming back.
constexpr absl::Duration kPatience = absl::Seconds(15);

ProgressView::Mode mode_for(const Session& session, const FollowOptions& options) {
  if (session.options.quiet || options.sink) return ProgressView::Mode::kNone;
  if (options.progress->interactive()) return ProgressView::Mode::kLive;
  return session.options.json ? ProgressView::Mode::kNone : ProgressView::Mode::kLines;
}

// CANCELLED is not this client's word: a server that goes says it to calls that it has not taken.
bool is_loss(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED;
}

class Follower {
 public:
  Follower(Session& session, const std::string& job, const FollowOptions& options)
      : session_(session),
        job_(job),
        options_(options),
        sequence_(options.after_sequence),
        view_(*options.progress, mode_for(session, options)) {}

  Followed follow() {
    while (true) {
      const grpc::Status status = read_stream();
      if (unread_) return {ExitCode::kOk, {}};
      if (left_) return leave();
      if (finished_) return ended();
      grpc::Status lost = status;
      if (status.ok()) lost = ask();
      if (finished_) return ended();
      if (!is_loss(lost.error_code())) return {session_.fail(lost), {}};
      if (!reconnect()) return left_ ? leave() : Followed{session_.fail(lost), {}};
    }
  }

 private:
  grpc::Status read_stream() {
    EventStream stream(*session_.jobs, job_, sequence_);
    while (true) {
      if (!mind_interrupts()) return grpc::Status::OK;
      switch (stream.next(kTick)) {
        case EventStream::Next::kEvent:
          take(stream.event());
          break;
        case EventStream::Next::kNothing:
          view_.tick();
          break;
        case EventStream::Next::kEnded:
          return stream.status();
      }
    }
  }

  void take(const v1::JobEvent& event) {
    sequence_ = std::max(sequence_, event.sequence());
    patience_.heard();
    if (options_.sink && !options_.sink(event)) unread_ = true;
    view_.event(event);
    if (event.kind() == v1::JobEvent::FINISHED) finished_ = event.job();
    // Resuming behind the last event gives a snapshot of a job that has ended.
    if (event.kind() == v1::JobEvent::SNAPSHOT && event.job().has_end_time()) {
      finished_ = event.job();
    }
  }

  // False when it is time to leave.
  bool mind_interrupts() {
    // A job that is only watched needs no watcher without a reader.
    unread_ = unread_ || (!options_.interrupt_cancels && !options_.progress->open());
    if (unread_) return false;
    const int count = interrupts_.count();
    if (count == minded_) return true;
    if (!options_.interrupt_cancels || minded_ > 0) {
      left_ = true;
      return false;
    }
    minded_ = count;
    view_.note(cat("cancelling ", job_, "; Ctrl-C again leaves it to the server"));
    grpc::ClientContext context;
    set_deadline(&context);
    v1::CancelJobRequest request;
    request.set_name(job_);
    v1::Job answer;
    const grpc::Status status = session_.jobs->Cancel(&context, request, &answer);
    // One that ended first needs no cancelling; its last event is on its way.
    if (!status.ok() && status.error_code() != grpc::StatusCode::FAILED_PRECONDITION) {
      view_.note(cat("not cancelled: ", describe(status, session_.server).text));
    }
    return true;
  }

  bool reconnect() {
    if (!patience_.waits()) view_.note(cat("lost ", session_.server, ", trying again"));
    const absl::Time until = patience_.lost(absl::Now());
    // A server that is stopping still answers; asking it in a tight circle would not make it
    // faster.
    view_.tick();
    absl::SleepFor(kTick);
    while (absl::Now() < until && mind_interrupts()) {
      if (session_.channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kTick))) return true;
      view_.tick();
    }
    return false;
  }

  // A stream that ended well without the last event has nothing newer than `sequence_` to say: the
  // job has ended, or the server goes and the stream with it, which is a loss.
  grpc::Status ask() {
    grpc::ClientContext context;
    set_deadline(&context);
    v1::GetJobRequest request;
    request.set_name(job_);
    v1::Job job;
    const grpc::Status status = session_.jobs->Get(&context, request, &job);
    if (!status.ok()) return status;
    if (!job.has_end_time()) return {grpc::StatusCode::UNAVAILABLE, cat(job_, " has not ended")};
    finished_ = job;
    return grpc::Status::OK;
  }

  Followed ended() {
    return {exit_code_of_state(v1::Job::State_Name(finished_->state())), finished_};
  }

  Followed leave() {
    session_.err.write_line(
        cat("left ", job_, ", which goes on; fermata watch ", job_, " follows it again"));
    return {ExitCode::kInterrupted, {}};
  }

  Session& session_;
  const std::string job_;
  const FollowOptions& options_;
  Interrupts interrupts_;
  int64_t sequence_;
  int minded_ = 0;
  bool left_ = false;
  bool unread_ = false;
  Patience patience_{kPatience};
  std::optional<v1::Job> finished_;
  ProgressView view_;
};

}  // namespace

Followed follow_job(Session& session, const std::string& job, const FollowOptions& options) {
  return Follower(session, job, options).follow();
}

std::string outcome_text(const v1::Job& job) {
  std::string text = cat(job.name(), " ", v1::Job::State_Name(job.state()));
  const v1::JobError& error = job.error();
  if (!error.stage().empty()) {
    append(&text, ": stage ", printable(error.stage()), " after ",
           count_text(error.attempts(), "attempt"));
  }
  if (error.code() != 0) {
    append(&text, ": ", code_name(error.code()), ": ", printable(error.message()));
  }
  return text;
}

}  // namespace fermata::cli
