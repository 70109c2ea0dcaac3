// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_REDIS_OPTIONS_H_
#define FERMATA_PLUGINS_REDIS_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::redis {

struct Config {
  std::string address;    // as it was given, for messages
  std::string unix_path;  // or a host and a port
  std::string host;
  std::uint16_t port = 6379;
  std::string username;
  std::string password;
  std::int64_t database = 0;
  std::size_t connections_max = 8;
  std::size_t waiting_max = 1000;
  absl::Duration connect_timeout = absl::Seconds(5);
  std::uint64_t command_bytes_max = 4 << 20;
  std::uint64_t reply_bytes_max = 4 << 20;
  std::vector<std::string> allow_commands;  // upper case; empty: all but those never possible
};
absl::StatusOr<Config> read_config(std::string_view config_json);

struct Request {
  std::vector<std::string> command;
  absl::Duration timeout = absl::Seconds(30);
  bool base64 = false;       // of every string in the reply; else only of those that are not UTF-8
  std::string name() const;  // the command in upper case, for messages: never its arguments
};
absl::StatusOr<Request> read_request(std::string_view input, const Config& config);

}  // namespace fermata::redis

#endif  // FERMATA_PLUGINS_REDIS_OPTIONS_H_
