#include "services/store/job_record.h"

namespace fermata {
namespace {

// Of the objects around the payloads, allocator included; measured, not exact.
constexpr size_t kSpecOverhead = 400;
constexpr size_t kRecordOverhead = 250;
constexpr size_t kStageOverhead = 120;
constexpr size_t kLabelOverhead = 100;

}  // namespace

size_t bytes_of(const JobSpec& spec) {
  size_t bytes = kSpecOverhead + spec.input.size() + spec.pipeline_yaml.size();
  for (const auto& [key, value] : spec.labels) bytes += kLabelOverhead + key.size() + value.size();
  return bytes;
}

size_t bytes_of(const JobRecord& record) {
  size_t bytes = kRecordOverhead + bytes_of(*record.spec);
  if (record.result != nullptr) bytes += record.result->size();
  if (record.error.has_value()) bytes += record.error->message.size();
  for (const StageProgress& stage : record.stages) {
    bytes += kStageOverhead + stage.versions.size() +
             (stage.output == nullptr ? 0 : stage.output->size());
  }
  return bytes;
}

}  // namespace fermata
