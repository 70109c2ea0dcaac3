// fermata.yaml: a Config, or mistakes that name their place.
#include "services/config/config.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<Config> config = parse_config(fuzz::text_of(data, size), "f.yaml");
  if (config.ok()) {
    FUZZ_CHECK(config->limits.jobs > 0);
    FUZZ_CHECK(config->limits.payload > 0);
    FUZZ_CHECK(config->offload_threads > 0);
  } else {
    FUZZ_CHECK(config.status().message().substr(0, 7) == "f.yaml:");
    FUZZ_CHECK(fuzz::readable(config.status()));
  }
  return 0;
}
