// What Jobs.List takes as text: the filter, and after a line break a page token; and the names of
// jobs and pipelines.
#include <string>

#include "services/frontend/job_filter.h"
#include "services/frontend/page_token.h"
#include "services/frontend/resource_name.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;
using namespace fermata::frontend;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Halves halves = fuzz::split(fuzz::text_of(data, size), '\n');
  const absl::StatusOr<JobFilter> filter = parse_job_filter(halves.first);
  if (!filter.ok()) {
    FUZZ_CHECK(fuzz::readable(filter.status()));
  }
  // A position is a name, so it is neither empty nor long.
  const std::string_view name = halves.first.substr(0, 256);
  if (!name.empty()) {
    const std::string token = make_page_token(name, halves.second);
    const absl::StatusOr<std::string> position = read_page_token(token, halves.second);
    FUZZ_CHECK(position.ok() && *position == name);
    FUZZ_CHECK(!read_page_token(token, std::string(halves.second) + "x").ok());
  }
  (void)read_page_token(halves.second, halves.first);
  (void)job_id_of(halves.first);
  (void)pipeline_id_of(halves.first);
  return 0;
}
