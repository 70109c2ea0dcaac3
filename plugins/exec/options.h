// What the operator allows (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_EXEC_OPTIONS_H_
#define FERMATA_PLUGINS_EXEC_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::exec {

struct Config {
  std::map<std::string, std::string> commands;     // name -> absolute path
  std::map<std::string, std::string> environment;  // of every command; nothing else is inherited
  std::vector<std::string> allow_environment;      // names that a call may set
  std::string folder = "/";                        // where commands run; calls stay below it
  std::size_t processes_max = 8;
  std::size_t waiting_max = 1000;
  std::uint64_t input_bytes_max = 4 << 20;
  std::uint64_t output_bytes_max = 1 << 20;  // of stdout and of stderr
  absl::Duration time_max = absl::Minutes(10);
  absl::Duration grace = absl::Seconds(1);  // between SIGTERM and SIGKILL
};
absl::StatusOr<Config> read_config(std::string_view config_json);

struct Request {
  std::string command;  // as the call names it
  std::vector<std::string> argv;
  std::string input;
  std::vector<std::string> environment;  // "NAME=value"
  std::string folder;                    // below Config::folder; empty: that itself
  absl::Duration timeout = absl::Minutes(1);
  std::uint64_t output_bytes_max = 0;
  bool expect_any = false;                // a failure of the command is a result, not an error
  bool base64 = false;                    // else text where it is UTF-8
  std::vector<std::int64_t> retry_codes;  // exit codes that another attempt may not see
};
absl::StatusOr<Request> read_request(std::string_view input, const Config& config);

}  // namespace fermata::exec

#endif  // FERMATA_PLUGINS_EXEC_OPTIONS_H_
