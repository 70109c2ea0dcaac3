#include "services/fermatad/metric_sources.h"

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/fermatad/version.h"

namespace fermata {
namespace {

double seconds(int64_t ns) { return static_cast<double>(ns) * 1e-9; }

void add_pipeline_metrics(const std::string& pipeline, const PipelineStats& stats, Families& out) {
  out.counter("fermata_jobs_submitted_total", "Jobs accepted.", {{"pipeline", pipeline}},
              static_cast<double>(stats.submitted));
  for (size_t i = 0; i < kJobStates; ++i) {
    if (!is_finished(static_cast<JobState>(i))) continue;
    out.counter("fermata_jobs_finished_total", "Jobs that ended, by how.",
                {{"pipeline", pipeline}, {"state", kJobStateNames[i]}},
                static_cast<double>(stats.finished[i]));
  }
  out.histogram("fermata_job_wait_seconds", "From accepted to first run.", {{"pipeline", pipeline}},
                stats.wait);
  out.histogram("fermata_job_duration_seconds", "From first run to the end.",
                {{"pipeline", pipeline}}, stats.run);
  for (const auto& [stage, numbers] : stats.stages) {
    const std::array<std::pair<std::string_view, std::string_view>, 2> labels = {
        {{"pipeline", pipeline}, {"stage", stage}}};
    out.histogram("fermata_stage_duration_seconds",
                  "A whole stage of a job, its fan-out and retries included.", labels,
                  numbers.duration);
    out.gauge("fermata_stage_in_flight",
              "Calls of a stage that have begun and not ended, those waiting for a retry included.",
              labels, static_cast<double>(numbers.in_flight));
    for (size_t i = 0; i < kAttemptResultNames.size(); ++i) {
      out.counter("fermata_stage_attempts_total", "Attempts of a stage's calls, by outcome.",
                  {{"pipeline", pipeline}, {"stage", stage}, {"outcome", kAttemptResultNames[i]}},
                  static_cast<double>(numbers.attempts[i]));
    }
  }
}

void add_calls_of(const StageInfo& info, const StageCounters& counters, Families& out) {
  const std::array<std::pair<std::string_view, std::string_view>, 1> labels = {
      {{"stage", info.use}}};
  out.gauge("fermata_plugin_calls_in_flight", "Calls running inside a plugin's stage.", labels,
            static_cast<double>(counters.in_flight));
  out.gauge("fermata_plugin_calls_abandoned",
            "Calls that ended for the job, while the stage has not let go of them.", labels,
            static_cast<double>(counters.abandoned));
  for (size_t i = 0; i < kStageResultNames.size(); ++i) {
    out.counter("fermata_plugin_calls_total", "Calls of a plugin's stage that ended, by outcome.",
                {{"stage", info.use}, {"outcome", kStageResultNames[i]}},
                static_cast<double>(counters.ended[i]));
  }
  out.histogram("fermata_plugin_call_duration_seconds", "One call of a plugin's stage.", labels,
                counters.duration);
  out.counter("fermata_plugin_input_bytes_total", "Bytes handed to a plugin's stage.", labels,
              static_cast<double>(counters.input_bytes));
  out.counter("fermata_plugin_output_bytes_total", "Bytes that a plugin's stage answered.", labels,
              static_cast<double>(counters.output_bytes));
}

// CANCELLED for 1, as clients print it.
constexpr std::array<const char*, frontend::kRpcCodes> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

}  // namespace

void add_build_metrics(Families& out) {
  out.gauge("fermata_build_info", "1; what this server is.",
            {{"version", kVersion}, {"compiler", kCompiler}}, 1);
}

void add_loop_metrics(const LoopStats& stats, Families& out) {
  const std::array<std::pair<std::string_view, std::string_view>, 1> labels = {
      {{"loop", "conductor"}}};
  std::vector<double> upper;
  for (size_t i = 0; i + 1 < LoopStats::kLagBuckets; ++i) {
    upper.push_back(static_cast<double>(uint64_t{1} << i) * 1e-6);
  }
  out.histogram("fermata_loop_lag_seconds", "How late timers fired.", labels, upper,
                stats.lag_buckets, static_cast<double>(stats.lag_ns_sum) * 1e-9);
  const auto gauge = [&](const char* name, const char* help, size_t value) {
    out.gauge(name, help, labels, static_cast<double>(value));
  };
  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    out.counter(name, help, labels, static_cast<double>(value));
  };
  gauge("fermata_loop_ready_tasks", "Coroutines that wait to run now.", stats.ready);
  gauge("fermata_loop_live_tasks", "Tasks spawned and not ended.", stats.live_tasks);
  gauge("fermata_loop_timers", "Timers armed.", stats.timers);
  gauge("fermata_loop_watched_fds", "Waits for a descriptor.", stats.watched_fds);
  counter("fermata_loop_iterations_total", "Turns of the event loop.", stats.turns);
  counter("fermata_loop_steps_total", "Resumptions of coroutines and callbacks.", stats.steps);
  counter("fermata_loop_tasks_started_total", "Tasks spawned.", stats.tasks_started);
  counter("fermata_loop_timers_fired_total", "Timers that fired.", stats.timers_fired);
  counter("fermata_loop_posts_total", "Callbacks from other threads.", stats.posts);
  counter("fermata_loop_wakeups_total", "Waits in the kernel.", stats.wakeups);
  counter("fermata_loop_cancellations_total", "Cancellations delivered.", stats.cancellations);
  counter("fermata_loop_offloads_total", "Blocking calls handed to threads.", stats.offloads);
  out.counter("fermata_loop_busy_seconds_total", "Time not spent waiting.", labels,
              seconds(stats.busy_ns));
  out.counter("fermata_loop_idle_seconds_total", "Time spent waiting.", labels,
              seconds(stats.idle_ns));
  out.counter("fermata_loop_busy_poll_seconds_total",
              "Of the time spent waiting, that in which the loop looked for the answer of a "
              "plugin's process instead of sleeping.",
              labels, seconds(stats.busy_poll_ns));
}

void add_engine_metrics(const EngineStats& stats, absl::Time now, Families& out) {
  for (size_t i = 1; i < kJobStates; ++i) {
    if (is_finished(static_cast<JobState>(i))) continue;
    out.gauge("fermata_jobs", "Unfinished jobs, by state.", {{"state", kJobStateNames[i]}},
              static_cast<double>(stats.jobs[i]));
  }
  out.gauge("fermata_jobs_in_store", "Of the pending jobs, those that only the store has.", {},
            static_cast<double>(stats.in_store));
  out.gauge("fermata_jobs_held_bytes", "Payloads and results of unfinished jobs in memory.", {},
            static_cast<double>(stats.bytes));
  const bool waiting = stats.oldest_pending != absl::InfiniteFuture();
  out.gauge("fermata_queue_oldest_age_seconds",
            "How long the job in memory that waits longest has waited; 0 when none waits.", {},
            waiting ? absl::ToDoubleSeconds(now - stats.oldest_pending) : 0);
  for (const auto& [pipeline, numbers] : stats.pipelines) {
    add_pipeline_metrics(pipeline, numbers, out);
  }
  // Known reasons from the first scrape on: a counter that appears later loses its first step.
  std::map<std::string, uint64_t> refused = {
      {"TOO_MANY_JOBS", 0}, {"TOO_MANY_BYTES", 0}, {"DRAINING", 0}, {"INVALID_REQUEST", 0}};
  for (const auto& [reason, count] : stats.refused) refused[reason] = count;
  for (const auto& [reason, count] : refused) {
    out.counter("fermata_admission_rejected_total", "Submits refused, by reason.",
                {{"reason", reason}}, static_cast<double>(count));
  }
  for (const auto& [reason, count] : stats.finished_reasons) {
    out.counter("fermata_job_end_reasons_total", "Jobs that ended, by reason.",
                {{"reason", reason}}, static_cast<double>(count));
  }
  out.gauge("fermata_job_watchers", "Clients that watch a job.", {},
            static_cast<double>(stats.watchers));
  out.gauge("fermata_job_waiters", "Clients that wait for a job's end.", {},
            static_cast<double>(stats.waiters));
  out.gauge("fermata_draining", "1 while the server lets its last jobs end, else 0.", {},
            stats.draining ? 1 : 0);
  out.gauge("fermata_store_healthy",
            "1 while the last commit and the last look for waiting jobs went well, else 0.", {},
            stats.store_healthy ? 1 : 0);
  out.counter("fermata_store_failures_total",
              "Commits that the store refused, and looks for waiting jobs that failed.", {},
              static_cast<double>(stats.store_failures));
}

void add_store_metrics(const StoreStats& stats, Families& out) {
  out.gauge("fermata_store_jobs", "Jobs kept, by kind.", {{"kind", "live"}},
            static_cast<double>(stats.live));
  out.gauge("fermata_store_jobs", "Jobs kept, by kind.", {{"kind", "finished"}},
            static_cast<double>(stats.finished));
  out.gauge("fermata_store_bytes", "Bytes kept, by kind.", {{"kind", "finished"}},
            static_cast<double>(stats.finished_bytes));
  out.gauge("fermata_store_bytes", "Bytes kept, by kind.", {{"kind", "file"}},
            static_cast<double>(stats.file_bytes));
  out.gauge("fermata_store_bytes", "Bytes kept, by kind.", {{"kind", "log"}},
            static_cast<double>(stats.log_bytes));
  out.gauge("fermata_store_unwritten_jobs", "Of relaxed queues: acknowledged, not yet on disk.", {},
            static_cast<double>(stats.unwritten));
  out.gauge("fermata_store_stopped", "1 when the disk has failed and nothing is written, else 0.",
            {}, stats.health == StoreHealth::kStopped ? 1 : 0);
  out.counter("fermata_store_writes_total", "Transactions, each with one sync.", {},
              static_cast<double>(stats.writes));
  out.counter("fermata_store_damaged_records_total", "Records read and not given out.", {},
              static_cast<double>(stats.damaged));
  out.histogram("fermata_store_write_seconds", "A transaction with its sync.", {},
                stats.write_time);
  out.histogram("fermata_store_sync_seconds",
                "Of a transaction, until the disk has said that it is written.", {},
                stats.sync_time);
  out.counter("fermata_store_commits_total", "Batches committed.", {},
              static_cast<double>(stats.commits));
  out.counter("fermata_store_records_total", "Records in them.", {},
              static_cast<double>(stats.records));
  out.counter("fermata_store_evicted_total", "Finished jobs forgotten by retention.", {},
              static_cast<double>(stats.evicted));
}

void add_stage_metrics(const Stages& stages, Families& out) {
  int loaded = 0;
  int refused = 0;
  std::set<std::string> seen;  // all versions of a stage count together
  std::map<std::pair<std::string, GenerationState>, int> generations;
  for (const PluginInfo& plugin : stages.list()) {
    ++(plugin.loaded ? loaded : refused);
    if (!plugin.loaded) continue;
    ++generations[{plugin.short_name, plugin.state}];
    for (const StageInfo& info : plugin.stages) {
      out.gauge("fermata_stage_info", "1; which plugin and version a stage comes from.",
                {{"stage", info.use}, {"plugin", info.plugin_id}, {"version", info.version}}, 1);
      const absl::StatusOr<StageRef> stage = stages.resolve(info.use);
      if (stage.ok() && seen.insert(info.use).second) {
        add_calls_of(info, (*stage)->counters(), out);
      }
    }
  }
  for (const auto& [key, count] : generations) {
    out.gauge(
        "fermata_plugin_generations", "Versions of a plugin, by what they are doing.",
        {{"plugin", key.first}, {"state", kGenerationStateNames[static_cast<size_t>(key.second)]}},
        count);
  }
  out.gauge("fermata_plugins", "Plugin files found, by what became of them.", {{"state", "loaded"}},
            loaded);
  out.gauge("fermata_plugins", "Plugin files found, by what became of them.",
            {{"state", "refused"}}, refused);
}

void add_rpc_metrics(const frontend::RpcCounters& counters, Families& out) {
  for (size_t method = 0; method < frontend::kRpcMethods; ++method) {
    const char* name = frontend::kRpcMethodNames[method];
    for (size_t code = 0; code < frontend::kRpcCodes; ++code) {
      const uint64_t count = counters.ended[method][code].value();
      if (count == 0 && code != 0) continue;
      out.counter("fermata_rpc_requests_total", "gRPC calls that ended, by method and code.",
                  {{"method", name}, {"code", kCodeNames[code]}}, static_cast<double>(count));
    }
    out.gauge("fermata_rpc_in_progress", "gRPC calls that have not ended.", {{"method", name}},
              static_cast<double>(counters.in_progress[method].value()));
    out.histogram("fermata_rpc_duration_seconds", "gRPC calls, from first byte to answer.",
                  {{"method", name}}, counters.duration[method]);
  }
}

}  // namespace fermata
