// get, cancel, delete: what is done to single jobs.
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "services/cli/cat.h"
#include "services/cli/follow.h"
#include "services/cli/json_text.h"
#include "services/cli/proto_time.h"
#include "services/cli/session.h"
#include "services/cli/table.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

std::string time_text(absl::Time time, absl::Time now) {
  return cat(absl::FormatTime("%Y-%m-%d %H:%M:%S", time, absl::LocalTimeZone()), " (",
             ago_text(time, now), ")");
}

std::string size_text(size_t bytes) {
  if (bytes < 10000) return count_text(static_cast<long long>(bytes), "byte");
  if (bytes < 10'000'000) return cat(bytes / 1000, " kB");
  return cat(bytes / 1'000'000, " MB");
}

// "  name      value" lines for what there is to say.
std::string job_text(const v1::Job& job, absl::Time now, bool color) {
  const std::string state = v1::Job::State_Name(job.state());
  std::string out = cat(styled(job.name(), Style::kBold, color), "  ",
                        styled(state, style_of_state(state), color), "\n");
  const auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) append(&out, "  ", pad_right(name, 10), value, "\n");
  };
  line("reason", printable(job.reason()));
  line("pipeline", job.pipeline_version().empty()
                       ? printable(job.pipeline())
                       : cat(printable(job.pipeline()), " ", job.pipeline_version()));
  line("stage", printable(job.stage()));
  line("queue", job.queue() == "default" ? "" : printable(job.queue()));
  std::vector<std::string> labels;
  for (const auto& [key, value] : job.labels()) {
    labels.push_back(printable(cat(key, "=", value)));
  }
  line("labels", absl::StrJoin(labels, " "));
  const absl::Time create = time_of(job.has_create_time(), job.create_time());
  const absl::Time start = time_of(job.has_start_time(), job.start_time());
  const absl::Time end = time_of(job.has_end_time(), job.end_time());
  if (job.has_create_time()) line("created", time_text(create, now));
  if (job.has_start_time()) line("waited", duration_text(start - create));
  if (job.has_start_time()) line("ran", duration_text((job.has_end_time() ? end : now) - start));
  if (job.has_error()) line("error", outcome_text(job).substr(job.name().size() + 1));
  if (!job.result().empty()) {
    line("result",
         cat(size_text(job.result().size()), "; fermata get --result ", job.name(), " prints it"));
  }
  return out;
}

std::string versions_text(const v1::StageProgress& stage) {
  std::string text;
  for (const std::string& version : stage.versions()) {
    append(&text, text.empty() ? "" : ", ", printable(version));
  }
  return text.empty() ? "-" : text;
}

std::string stages_text(const v1::Job& job, absl::Time now, const Output& output) {
  using Align = Table::Align;
  Table table({{"STAGE", Align::kLeft, true},
               {"STATE"},
               {"DONE", Align::kRight},
               {"FAILED", Align::kRight},
               {"RETRIED", Align::kRight},
               {"TOOK", Align::kRight},
               {"VERSION", Align::kLeft, true}});
  for (const v1::StageProgress& stage : job.stages()) {
    const std::string state = v1::StageProgress::State_Name(stage.state());
    const absl::Time start = time_of(stage.has_start_time(), stage.start_time());
    const absl::Time end = time_of(stage.has_end_time(), stage.end_time());
    table.add_row({{printable(stage.name())},
                   {state, style_of_state(state)},
                   {cat(stage.done(), "/", stage.total())},
                   {cat(stage.failed()), stage.failed() > 0 ? Style::kBad : Style::kPlain},
                   {cat(stage.retries())},
                   {stage.has_start_time() ? duration_text(std::min(end, now) - start) : "-"},
                   {versions_text(stage)}});
  }
  return table.empty() ? "" : table.render(output.width(), output.color());
}

// Calls `call` for each job named; goes on after one fails and ends with the first failure's code.
template <typename Call>
ExitCode for_each_job(Session& session, Call call) {
  ExitCode first = ExitCode::kOk;
  for (const std::string& name : session.options.names) {
    const ExitCode code = call(name);
    if (first == ExitCode::kOk) first = code;
  }
  return first;
}

// Prints one payload; a job without it is an error that says why.
ExitCode print_payload(Session& session, const v1::Job& job, const std::string& payload,
                       std::string_view what) {
  if (!payload.empty()) {
    session.out.write_line(session.out.interactive() ? indent_json(printable(payload)) : payload);
    return ExitCode::kOk;
  }
  session.err.write_line(cat("fermata: no ", what, ": ", outcome_text(job)));
  return job.has_end_time() ? exit_code_of_state(v1::Job::State_Name(job.state()))
                            : ExitCode::kRefused;
}

}  // namespace

ExitCode get_command(Session& session) {
  grpc::ClientContext context;
  set_deadline(&context, absl::Minutes(1));
  v1::GetJobRequest request;
  request.set_name(session.options.names.front());
  const bool whole = session.options.json || session.options.only_input;
  request.set_view(whole ? v1::JOB_VIEW_FULL : v1::JOB_VIEW_RESULT);
  v1::Job job;
  const grpc::Status status = session.jobs->Get(&context, request, &job);
  if (!status.ok()) return session.fail(status);
  if (session.options.only_result) return print_payload(session, job, job.result(), "result");
  if (session.options.only_input) return print_payload(session, job, job.input(), "input");
  if (session.options.json) {
    session.out.write_line(job_json(job));
  } else {
    const absl::Time now = absl::Now();
    session.out.write(job_text(job, now, session.out.color()));
    session.out.write(stages_text(job, now, session.out));
  }
  return ExitCode::kOk;
}

ExitCode cancel_command(Session& session) {
  return for_each_job(session, [&](const std::string& name) {
    grpc::ClientContext context;
    set_deadline(&context);
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::Job job;
    grpc::Status status = session.jobs->Cancel(&context, request, &job);
    if (status.ok() && session.options.wait && !job.has_end_time()) {
      grpc::ClientContext wait_context;
      v1::WaitJobRequest wait;
      wait.set_name(name);
      wait.set_view(v1::JOB_VIEW_BASIC);
      status = session.jobs->Wait(&wait_context, wait, &job);
    }
    if (!status.ok()) return session.fail(status);
    session.out.write_line(session.options.json
                               ? job_json(job)
                               : cat(job.name(), " ", v1::Job::State_Name(job.state())));
    return ExitCode::kOk;
  });
}

ExitCode delete_command(Session& session) {
  return for_each_job(session, [&](const std::string& name) {
    grpc::ClientContext context;
    set_deadline(&context);
    v1::DeleteJobRequest request;
    request.set_name(name);
    google::protobuf::Empty nothing;
    const grpc::Status status = session.jobs->Delete(&context, request, &nothing);
    return status.ok() ? ExitCode::kOk : session.fail(status);
  });
}

}  // namespace fermata::cli
