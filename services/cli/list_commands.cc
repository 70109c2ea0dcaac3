// list, pipelines, plugins: what a server has, as tables.
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "services/cli/cat.h"
#include "services/cli/json_text.h"
#include "services/cli/proto_time.h"
#include "services/cli/session.h"
#include "services/cli/table.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

constexpr int kPageMax = 1000;

std::string work_of(const v1::Job& job) {
  return printable(job.stage().empty() ? job.pipeline() : job.stage());
}

std::string labels_of(const v1::Job& job) {
  std::vector<std::string> labels;
  for (const auto& [key, value] : job.labels()) labels.push_back(cat(key, "=", value));
  return printable(absl::StrJoin(labels, " "));
}

void add_job(const v1::Job& job, absl::Time now, Table* table) {
  const std::string state = v1::Job::State_Name(job.state());
  const absl::Time create = time_of(job.has_create_time(), job.create_time());
  const absl::Time start = time_of(job.has_start_time(), job.start_time());
  const absl::Time end = time_of(job.has_end_time(), job.end_time());
  table->add_row({{job.name()},
                  {work_of(job)},
                  {state, style_of_state(state)},
                  {ago_text(create, now)},
                  {job.has_start_time() ? duration_text(std::min(end, now) - start) : "-"},
                  {job.has_error() ? printable(job.error().message()) : labels_of(job)}});
}

// Calls `call` with each page's response until the last one, or until it answers false.
template <typename Request, typename Response, typename Method, typename Each>
grpc::Status for_each_page(Request request, Method method, Each each) {
  while (true) {
    grpc::ClientContext context;
    set_deadline(&context);
    Response response;
    const grpc::Status status = method(&context, request, &response);
    if (!status.ok()) return status;
    if (!each(response) || response.next_page_token().empty()) return grpc::Status::OK;
    request.set_page_token(response.next_page_token());
  }
}

void add_pipeline(const v1::Pipeline& pipeline, Table* table) {
  std::vector<std::string> stages;
  for (const v1::PipelineStage& stage : pipeline.stages()) stages.push_back(stage.name());
  table->add_row({{printable(pipeline.name())},
                  {printable(pipeline.version()), Style::kDim},
                  {printable(absl::StrJoin(stages, " → "))}});
}

std::string pipeline_text(const v1::Pipeline& pipeline, const Output& output) {
  using Align = Table::Align;
  Table table({{"STAGE"},
               {"USES"},
               {"AFTER"},
               {"EACH", Align::kLeft, true},
               {"PARALLEL", Align::kRight},
               {"GATHER"},
               {"ATTEMPTS", Align::kRight},
               {"TIMEOUT", Align::kRight}});
  for (const v1::PipelineStage& stage : pipeline.stages()) {
    const bool each = !stage.each().empty();
    table.add_row({{printable(stage.name())},
                   {printable(stage.use())},
                   {printable(absl::StrJoin(stage.after(), " "))},
                   {printable(stage.each())},
                   {each ? cat(stage.parallel()) : ""},
                   {each ? printable(stage.gather()) : ""},
                   {cat(stage.attempts())},
                   {duration_text(duration_of(stage.timeout()))}});
  }
  return cat(styled(printable(pipeline.name()), Style::kBold, output.color()), "  ",
             printable(pipeline.version()), "\n", table.render(output.width(), output.color()));
}

ExitCode one_pipeline(Session& session) {
  grpc::ClientContext context;
  set_deadline(&context);
  v1::GetPipelineRequest request;
  request.set_name(session.options.names.front());
  v1::Pipeline pipeline;
  const grpc::Status status = session.pipelines->Get(&context, request, &pipeline);
  if (!status.ok()) return session.fail(status);
  if (session.options.json) {
    session.out.write_line(pipeline_json(pipeline));
  } else {
    session.out.write(pipeline_text(pipeline, session.out));
  }
  return ExitCode::kOk;
}

}  // namespace

ExitCode list_command(Session& session) {
  const int limit = session.options.list.limit;
  v1::ListJobsRequest request;
  request.set_filter(*list_filter(session.options.list));
  request.set_page_size(limit == 0 ? kPageMax : std::min(limit, kPageMax));
  Table table({{"JOB"},
               {"WORK"},
               {"STATE"},
               {"CREATED"},
               {"TOOK", Table::Align::kRight},
               {"LABELS, OR WHY IT FAILED", Table::Align::kLeft, true}});
  const absl::Time now = absl::Now();
  int shown = 0;
  const grpc::Status status = for_each_page<v1::ListJobsRequest, v1::ListJobsResponse>(
      request, [&](auto... args) { return session.jobs->List(args...); },
      [&](const v1::ListJobsResponse& page) {
        for (const v1::Job& job : page.jobs()) {
          if (limit != 0 && shown == limit) return false;
          ++shown;
          if (!session.options.json) {
            add_job(job, now, &table);
          } else if (!session.out.write_line(job_json(job))) {
            return false;
          }
        }
        return limit == 0 || shown < limit;
      });
  if (!status.ok()) return session.fail(status);
  if (!table.empty()) session.out.write(table.render(session.out.width(), session.out.color()));
  if (shown == 0 && !session.options.quiet) session.err.write_line("no jobs");
  return ExitCode::kOk;
}

ExitCode pipelines_command(Session& session) {
  if (!session.options.names.empty()) return one_pipeline(session);
  Table table({{"PIPELINE"}, {"VERSION"}, {"STAGES", Table::Align::kLeft, true}});
  const grpc::Status status = for_each_page<v1::ListPipelinesRequest, v1::ListPipelinesResponse>(
      {}, [&](auto... args) { return session.pipelines->List(args...); },
      [&](const v1::ListPipelinesResponse& page) {
        for (const v1::Pipeline& pipeline : page.pipelines()) {
          if (session.options.json) session.out.write_line(pipeline_json(pipeline));
          add_pipeline(pipeline, &table);
        }
        return true;
      });
  if (!status.ok()) return session.fail(status);
  if (session.options.json) return ExitCode::kOk;
  if (!table.empty()) session.out.write(table.render(session.out.width(), session.out.color()));
  if (table.empty() && !session.options.quiet) session.err.write_line("no pipelines");
  return ExitCode::kOk;
}

ExitCode plugins_command(Session& session) {
  Table table({{"STAGE"},
               {"PLUGIN"},
               {"STATE"},
               {"SUMMARY, OR WHY IT WAS REFUSED", Table::Align::kLeft, true}});
  const grpc::Status status = for_each_page<v1::ListPluginsRequest, v1::ListPluginsResponse>(
      {}, [&](auto... args) { return session.plugins->List(args...); },
      [&](const v1::ListPluginsResponse& page) {
        for (const v1::Plugin& plugin : page.plugins()) {
          if (session.options.json) session.out.write_line(plugin_json(plugin));
          // What this version is doing, where the server says so.
          const bool phased = plugin.phase() != v1::Plugin::PHASE_UNSPECIFIED;
          const bool idle = phased && plugin.phase() != v1::Plugin::ACTIVE;
          const std::string state = phased ? v1::Plugin::Phase_Name(plugin.phase()) : "LOADED";
          const std::string id = printable(
              cat(plugin.id().empty() ? plugin.name() : plugin.id(), " ", plugin.version()));
          for (const v1::Stage& stage : plugin.stages()) {
            table.add_row({{printable(stage.name())},
                           {id},
                           {state, idle ? Style::kPlain : Style::kGood},
                           {printable(stage.summary())}});
          }
          if (plugin.state() == v1::Plugin::REFUSED) {
            table.add_row({{"-"}, {id}, {"REFUSED", Style::kBad}, {printable(plugin.refusal())}});
          }
        }
        return true;
      });
  if (!status.ok()) return session.fail(status);
  if (session.options.json) return ExitCode::kOk;
  if (!table.empty()) session.out.write(table.render(session.out.width(), session.out.color()));
  if (table.empty() && !session.options.quiet) session.err.write_line("no plugins");
  return ExitCode::kOk;
}

}  // namespace fermata::cli
