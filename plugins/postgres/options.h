// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_POSTGRES_OPTIONS_H_
#define FERMATA_PLUGINS_POSTGRES_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::postgres {

struct Config {
  std::string host;  // a name, an IP address, or the folder of a Unix socket; empty: unconfigured
  std::uint16_t port = 5432;
  std::string database;
  std::string user;
  std::string password;
  std::string tls = "prefer";  // libpq's sslmode
  std::string ca_file;
  std::size_t connections_max = 8;
  std::size_t waiting_max = 1000;
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration time_max = absl::Minutes(5);  // the server's own statement_timeout
  std::int64_t rows_max = 10'000;
  std::uint64_t bytes_max = 8 << 20;
  bool reset = true;  // DISCARD ALL before a connection is used again
};
absl::StatusOr<Config> read_config(std::string_view config_json);

struct Request {
  std::string sql;
  std::vector<std::optional<std::string>> parameters;  // nullopt is NULL
  absl::Duration timeout = absl::Seconds(30);
  std::int64_t rows_max = 0;
  std::uint64_t bytes_max = 0;
};
absl::StatusOr<Request> read_request(std::string_view input, const Config& config);

}  // namespace fermata::postgres

#endif  // FERMATA_PLUGINS_POSTGRES_OPTIONS_H_
