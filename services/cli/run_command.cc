#include "services/cli/cat.h"
#include "services/cli/follow.h"
#include "services/cli/job_request.h"
#include "services/cli/json_text.h"
#include "services/cli/session.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

// The job as the server took it, or the exit code to end with.
std::optional<ExitCode> submit(Session& session, v1::Job* job) {
  v1::SubmitJobRequest request;
  const absl::Status made = make_job(session.options.work, read_file, request.mutable_job());
  if (!made.ok()) return session.fail_usage(made);
  request.set_request_id(session.options.work.request_id);
  grpc::ClientContext context;
  set_deadline(&context, absl::Minutes(1));  // an input may be large and the link slow
  const grpc::Status status = session.jobs->Submit(&context, request, job);
  if (!status.ok()) return session.fail(status);
  return std::nullopt;
}

}  // namespace

ExitCode submit_command(Session& session) {
  v1::Job job;
  if (const auto failed = submit(session, &job)) return *failed;
  session.out.write_line(session.options.json ? job_json(job) : job.name());
  return ExitCode::kOk;
}

ExitCode run_command(Session& session) {
  v1::Job job;
  if (const auto failed = submit(session, &job)) return *failed;
  FollowOptions follow;
  follow.interrupt_cancels = true;
  follow.progress = &session.err;
  const Followed followed = follow_job(session, job.name(), follow);
  if (!followed.job) return followed.exit;
  if (session.options.json) {
    session.out.write_line(job_json(*followed.job));
  } else if (followed.job->state() == v1::Job::SUCCEEDED) {
    const std::string& result = followed.job->result();
    session.out.write_line(session.out.interactive() ? indent_json(printable(result)) : result);
  } else {
    session.err.write_line(cat("fermata: ", outcome_text(*followed.job)));
  }
  return followed.exit;
}

ExitCode watch_command(Session& session) {
  FollowOptions follow;
  follow.after_sequence = session.options.after_sequence;
  follow.progress = &session.out;
  if (session.options.json) {
    follow.sink = [&session](const v1::JobEvent& event) {
      return session.out.write_line(event_json(event));
    };
  }
  const Followed followed = follow_job(session, session.options.names.front(), follow);
  if (followed.job && !session.options.json && followed.job->state() != v1::Job::SUCCEEDED) {
    session.err.write_line(cat("fermata: ", outcome_text(*followed.job)));
  }
  return followed.exit;
}

}  // namespace fermata::cli
