#include "services/frontend/job_message.h"

#include <algorithm>
#include <string>

#include "google/protobuf/arena.h"
#include "services/config/utf8.h"
#include "services/frontend/wire.h"

namespace fermata::frontend {
namespace {

constexpr size_t kMaxMessage = 4096;

// Numbers are the same on both sides, so a state is converted by a cast.
static_assert(static_cast<int>(JobState::kExpired) == v1::Job::EXPIRED);
static_assert(static_cast<int>(JobState::kCancelling) == v1::Job::CANCELLING);
static_assert(static_cast<int>(StageState::kCancelled) == v1::StageProgress::CANCELLED);
static_assert(static_cast<int>(JobEventKind::kFinished) == v1::JobEvent::FINISHED);

// Texts that stages wrote may hold anything; a proto string may not.
std::string clean(const std::string& text) {
  if (text.size() <= kMaxMessage && is_utf8(text)) return text;
  return utf8_preview(text, kMaxMessage);
}

// "Not yet" is infinite, and stays unset.
template <class Message>
void set_time(absl::Time time, Message* message,
              google::protobuf::Timestamp* (Message::*mutable_field)()) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return;
  const int64_t ns = absl::ToUnixNanos(time);
  google::protobuf::Timestamp* to = (message->*mutable_field)();
  int64_t seconds = ns / 1'000'000'000;
  int64_t nanos = ns % 1'000'000'000;
  if (nanos < 0) {
    --seconds;
    nanos += 1'000'000'000;
  }
  to->set_seconds(seconds);
  to->set_nanos(static_cast<int32_t>(nanos));
}

void fill_stage(const StageProgress& stage, v1::StageProgress* out) {
  out->set_name(stage.name);
  out->set_state(static_cast<v1::StageProgress::State>(stage.state));
  out->set_total(stage.total);
  out->set_done(stage.done);
  out->set_failed(stage.failed);
  out->set_retries(stage.retries);
  for (size_t at = 0; at < stage.versions.size();) {
    const size_t comma = std::min(stage.versions.find(", ", at), stage.versions.size());
    out->add_versions(stage.versions.substr(at, comma - at));
    at = comma + 2;
  }
  set_time(stage.start_time, out, &v1::StageProgress::mutable_start_time);
  set_time(stage.end_time, out, &v1::StageProgress::mutable_end_time);
}

// Everything but the result.
void fill_head(const JobRecord& record, v1::JobView view, v1::Job* out) {
  const JobSpec& spec = *record.spec;
  std::string* name = out->mutable_name();
  name->reserve(5 + spec.id.size());
  name->append("jobs/").append(spec.id);
  if (spec.stage.empty()) {
    out->set_pipeline(spec.pipeline);
    out->set_pipeline_version(spec.pipeline_version);
  } else {
    out->set_stage(spec.stage);
  }
  for (const auto& [key, value] : spec.labels) (*out->mutable_labels())[key] = value;
  out->set_queue(spec.queue);
  out->set_priority(spec.priority);
  if (spec.deadline != absl::InfiniteFuture()) {
    const int64_t ns = absl::ToInt64Nanoseconds(spec.deadline - spec.create_time);
    out->mutable_timeout()->set_seconds(ns / 1'000'000'000);
    out->mutable_timeout()->set_nanos(static_cast<int32_t>(ns % 1'000'000'000));
  }
  out->set_state(static_cast<v1::Job::State>(record.state));
  out->set_reason(record.reason);
  set_time(spec.create_time, out, &v1::Job::mutable_create_time);
  set_time(record.start_time, out, &v1::Job::mutable_start_time);
  set_time(record.end_time, out, &v1::Job::mutable_end_time);
  out->set_sequence(record.sequence);
  if (record.error.has_value()) {
    v1::JobError* error = out->mutable_error();
    error->set_code(static_cast<int>(record.error->code));
    error->set_message(clean(record.error->message));
    error->set_stage(record.error->stage);
    error->set_attempts(record.error->attempts);
  }
  if (view == v1::JOB_VIEW_BASIC) return;
  for (const StageProgress& stage : record.stages) fill_stage(stage, out->add_stages());
  if (view == v1::JOB_VIEW_FULL) out->set_input(spec.input);
}

bool sends_result(const JobRecord& record, v1::JobView view) {
  return view != v1::JOB_VIEW_BASIC && record.result != nullptr;
}

}  // namespace

v1::JobView view_or(v1::JobView view, v1::JobView fallback) {
  return view == v1::JOB_VIEW_UNSPECIFIED ? fallback : view;
}

void fill_job(const JobRecord& record, v1::JobView view, v1::Job* out) {
  fill_head(record, view, out);
  if (sends_result(record, view)) out->set_result(*record.result);
}

grpc::ByteBuffer encode_job(const JobView& record, v1::JobView view) {
  alignas(8) char block[1024];
  google::protobuf::Arena arena(block, sizeof block);
  auto* job = google::protobuf::Arena::CreateMessage<v1::Job>(&arena);
  fill_head(*record, view, job);
  if (!sends_result(*record, view)) return encode(*job);
  return encode_with_bytes(*job, v1::Job::kResultFieldNumber, record->result, *record->result);
}

grpc::ByteBuffer encode_event(const JobEvent& event) {
  alignas(8) char block[1024];
  google::protobuf::Arena arena(block, sizeof block);
  auto* out = google::protobuf::Arena::CreateMessage<v1::JobEvent>(&arena);
  out->set_sequence(event.sequence);
  set_time(event.time, out, &v1::JobEvent::mutable_time);
  out->set_kind(static_cast<v1::JobEvent::Kind>(event.kind));
  out->set_state(static_cast<v1::Job::State>(event.state));
  if (!event.stage.name.empty()) fill_stage(event.stage, out->mutable_stage());
  out->set_fraction(event.fraction);
  out->set_message(clean(event.message));
  if (event.job != nullptr) fill_job(*event.job, v1::JOB_VIEW_RESULT, out->mutable_job());
  return encode(*out);
}

}  // namespace fermata::frontend
