// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_JQ_OPTIONS_H_
#define FERMATA_PLUGINS_JQ_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugins/jq/program.h"

namespace fermata::jq {

struct Config {
  absl::Duration time_max = absl::Seconds(5);
  std::uint64_t bytes_max = 4 << 20;
  std::int64_t results_max = 10'000;
  std::size_t programs_max = 64;  // compiled ones that are kept
  std::size_t runs_max = 4;       // at once: each takes a thread
  std::size_t waiting_max = 1000;
};
absl::StatusOr<Config> read_config(std::string_view config_json);

struct Request {
  std::string program;
  std::string input;      // JSON text
  std::string variables;  // a JSON object's text
  absl::Duration timeout = absl::Seconds(1);
  Limits limits;
};
absl::StatusOr<Request> read_request(std::string_view input, const Config& config);

}  // namespace fermata::jq

#endif  // FERMATA_PLUGINS_JQ_OPTIONS_H_
