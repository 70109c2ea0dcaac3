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

std::string numbers_of(const JobPage& page) {
  std::string text;
  for (const JobView& job : page.jobs) text += job->spec->labels.at("n") + " ";
  return text;
}

}  // namespace fermata
