#include "tests/store/records.h"

#include <cstdio>
#include <utility>
#include <vector>

namespace fermata {

std::string id_of(int n) {
  char text[40];
  std::snprintf(text, sizeof text, "%08d-0000-7000-8000-000000000000", n);
  return text;
}

std::shared_ptr<JobRecord> make_mutable_record(int n, JobState state, int64_t sequence) {
  auto spec = std::make_shared<JobSpec>();
  spec->id = id_of(n);
  spec->pipeline = n % 2 == 0 ? "even" : "odd";
  spec->input = "{}";
  spec->labels["n"] = std::to_string(n);
  auto record = std::make_shared<JobRecord>();
  record->spec = std::move(spec);
  record->state = state;
  record->sequence = sequence;
  if (is_finished(state)) record->end_time = now();
  return record;
}

JobView make_record(int n, JobState state, int64_t sequence, std::string input) {
  std::shared_ptr<JobRecord> record = make_mutable_record(n, state, sequence);
  auto spec = std::make_shared<JobSpec>(*record->spec);
  spec->input = std::move(input);
  record->spec = std::move(spec);
  return record;
}

Co<absl::Status> put(JobStore& store, JobView record) {
  std::vector<JobView> batch;
  batch.push_back(std::move(record));
  co_return co_await store.commit(std::move(batch));
}

Co<absl::StatusOr<std::string>> waiting(JobStore& store) {
  constexpr size_t kMuch = size_t{1} << 40;
  LanePage page = co_await Try(store.lane("default", std::nullopt, 100000, kMuch));
  co_return numbers_of(page.jobs);
}

std::string numbers_of(const std::vector<JobView>& jobs) {
  std::string text;
  for (const JobView& job : jobs) text += job->spec->labels.at("n") + " ";
  return text;
}

}  // namespace fermata
