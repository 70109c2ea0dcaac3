#include "services/store/record_codec.h"

#include <zlib.h>

#include <limits>
#include <memory>
#include <utility>

#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/store/record_bytes.h"

namespace fermata {
namespace {

constexpr uint8_t kMagic = 'F';
constexpr size_t kChecksumSize = 4;
constexpr size_t kSmallest = 2 + kChecksumSize;
constexpr uint8_t kVersionOfBegun = 2;
constexpr auto kLastCode = static_cast<uint64_t>(absl::StatusCode::kUnauthenticated);

uint32_t checksum_of(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

uint32_t stored_checksum(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < kChecksumSize; ++i) {
    const auto byte = static_cast<uint8_t>(bytes[bytes.size() - kChecksumSize + i]);
    value |= static_cast<uint32_t>(byte) << (8 * i);
  }
  return value;
}

void write_spec(const JobSpec& spec, RecordWriter& out) {
  out.text(spec.id);
  out.text(spec.pipeline);
  out.text(spec.pipeline_version);
  out.text(spec.pipeline_yaml);
  out.text(spec.stage);
  out.text(spec.input);
  out.text(spec.queue);
  out.number(spec.labels.size());
  for (const auto& [key, value] : spec.labels) {
    out.text(key);
    out.text(value);
  }
  out.signed_number(spec.priority);
  out.text(spec.request_id);
  out.number(spec.fingerprint);
  out.time(spec.create_time);
  out.time(spec.deadline);
}

uint8_t version_of(const JobRecord& record) {
  for (const StageProgress& stage : record.stages) {
    if (stage.begun) return kVersionOfBegun;
  }
  return 1;
}

void write_stage(const StageProgress& stage, uint8_t version, RecordWriter& out) {
  out.text(stage.name);
  out.byte(static_cast<uint8_t>(stage.state));
  out.signed_number(stage.total);
  out.signed_number(stage.done);
  out.signed_number(stage.failed);
  out.signed_number(stage.retries);
  out.time(stage.start_time);
  out.time(stage.end_time);
  out.text(stage.versions);
  out.byte(stage.output != nullptr);
  if (stage.output != nullptr) out.text(*stage.output);
  if (version >= kVersionOfBegun) out.byte(stage.begun);
}

int32_t int32(RecordReader& in) {
  const int64_t value = in.signed_number();
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) {
    in.fail();
    return 0;
  }
  return static_cast<int32_t>(value);
}

bool flag(RecordReader& in) {
  const uint8_t value = in.byte();
  if (value > 1) in.fail();
  return value == 1;
}

std::shared_ptr<const std::string> optional_text(RecordReader& in) {
  if (!flag(in)) return nullptr;
  return std::make_shared<const std::string>(in.text());
}

std::shared_ptr<const JobSpec> read_spec(RecordReader& in) {
  auto spec = std::make_shared<JobSpec>();
  spec->id = in.text();
  spec->pipeline = in.text();
  spec->pipeline_version = in.text();
  spec->pipeline_yaml = in.text();
  spec->stage = in.text();
  spec->input = in.text();
  spec->queue = in.text();
  for (size_t labels = in.count(); labels > 0 && !in.failed(); --labels) {
    std::string key = in.text();
    spec->labels[std::move(key)] = in.text();
  }
  spec->priority = int32(in);
  spec->request_id = in.text();
  spec->fingerprint = in.number();
  spec->create_time = in.time();
  spec->deadline = in.time();
  return spec;
}

JobError read_error(RecordReader& in) {
  JobError error;
  const uint64_t code = in.number();
  if (code > kLastCode) in.fail();
  error.code = static_cast<absl::StatusCode>(in.failed() ? 0 : code);
  error.message = in.text();
  error.stage = in.text();
  error.attempts = int32(in);
  return error;
}

StageProgress read_stage(uint8_t version, RecordReader& in) {
  StageProgress stage;
  stage.name = in.text();
  const uint8_t state = in.byte();
  if (state >= kStageStateNames.size()) in.fail();
  stage.state = in.failed() ? StageState::kUnspecified : static_cast<StageState>(state);
  stage.total = in.signed_number();
  stage.done = in.signed_number();
  stage.failed = in.signed_number();
  stage.retries = in.signed_number();
  stage.start_time = in.time();
  stage.end_time = in.time();
  stage.versions = in.text();
  stage.output = optional_text(in);
  if (version >= kVersionOfBegun) stage.begun = flag(in);
  return stage;
}

void read_body(uint8_t version, RecordReader& in, JobRecord& record) {
  record.spec = read_spec(in);
  const uint8_t state = in.byte();
  if (state >= kJobStates) in.fail();
  record.state = in.failed() ? JobState::kUnspecified : static_cast<JobState>(state);
  record.reason = in.text();
  record.sequence = in.signed_number();
  record.start_time = in.time();
  record.end_time = in.time();
  if (flag(in)) record.error = read_error(in);
  record.result = optional_text(in);
  for (size_t stages = in.count(); stages > 0 && !in.failed(); --stages) {
    record.stages.push_back(read_stage(version, in));
  }
}

}  // namespace

std::string encode_record(const JobRecord& record) {
  std::string bytes;
  bytes.reserve(bytes_of(record));
  RecordWriter out(bytes);
  const uint8_t version = version_of(record);
  out.byte(kMagic);
  out.byte(version);
  write_spec(*record.spec, out);
  out.byte(static_cast<uint8_t>(record.state));
  out.text(record.reason);
  out.signed_number(record.sequence);
  out.time(record.start_time);
  out.time(record.end_time);
  out.byte(record.error.has_value());
  if (record.error.has_value()) {
    out.number(static_cast<uint64_t>(record.error->code));
    out.text(record.error->message);
    out.text(record.error->stage);
    out.signed_number(record.error->attempts);
  }
  out.byte(record.result != nullptr);
  if (record.result != nullptr) out.text(*record.result);
  out.number(record.stages.size());
  for (const StageProgress& stage : record.stages) write_stage(stage, version, out);
  const uint32_t checksum = checksum_of(bytes);
  for (size_t i = 0; i < kChecksumSize; ++i) out.byte(static_cast<uint8_t>(checksum >> (8 * i)));
  return bytes;
}

absl::StatusOr<JobView> decode_record(std::string_view bytes) {
  if (bytes.size() < kSmallest || static_cast<uint8_t>(bytes[0]) != kMagic) {
    return absl::DataLossError(
        str_cat("expected a job record, got ", bytes.size(), " bytes of something else"));
  }
  const uint32_t stored = stored_checksum(bytes);
  bytes.remove_suffix(kChecksumSize);
  const uint32_t found = checksum_of(bytes);
  if (found != stored && !planted(PlantedBug::kServeDamage)) {
    return absl::DataLossError(
        str_cat("the record has changed since it was written: expected the "
                "checksum ",
                stored, ", got ", found));
  }
  const uint8_t version = static_cast<uint8_t>(bytes[1]);
  if (version > kRecordVersion) {
    return absl::FailedPreconditionError(str_cat("the record has format ", version,
                                                 ", this server reads up to ", kRecordVersion,
                                                 "; run the newer server that wrote it"));
  }
  RecordReader in(bytes.substr(2));
  auto record = std::make_shared<JobRecord>();
  read_body(version, in, *record);
  if (in.failed() || in.left() > 0 || version == 0) {
    return absl::DataLossError("the record's checksum is right and its content is not");
  }
  return record;
}

}  // namespace fermata
