// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_GRPC_OPTIONS_H_
#define FERMATA_PLUGINS_GRPC_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::grpc_call {

struct Target {
  std::string address;  // as gRPC has it: host:port, dns:///…, unix:/…
  bool tls = true;
  std::string ca;           // PEM; empty: the system's
  std::string certificate;  // PEM of the client, with its key; empty: none
  std::string key;
  std::string server_name;  // that the certificate must be for; empty: the address's
};

struct Config {
  std::map<std::string, Target> targets;
  std::size_t calls_max = 256;
  std::size_t waiting_max = 1000;
  std::uint64_t message_bytes_max = 4 << 20;
};
// Reads the files that it names.
absl::StatusOr<Config> read_config(std::string_view config_json);

struct Request {
  std::string target;
  std::string method;  // "/package.Service/Method"
  std::string message;
  std::vector<std::pair<std::string, std::string>> metadata;
  absl::Duration timeout = absl::Seconds(30);
  bool wait_for_ready = false;
};
absl::StatusOr<Request> read_request(std::string_view input, const Config& config);

}  // namespace fermata::grpc_call

#endif  // FERMATA_PLUGINS_GRPC_OPTIONS_H_
