// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_DNS_OPTIONS_H_
#define FERMATA_PLUGINS_DNS_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::dns {

struct Config {
  std::string servers;                            // "1.1.1.1:53,…"; empty: those of the machine
  absl::Duration try_timeout = absl::Seconds(2);  // of one try at one server
  std::int64_t tries = 3;
  std::size_t queries_max = 256;
  std::size_t waiting_max = 10'000;
};
absl::StatusOr<Config> read_config(std::string_view config_json);

// The numbers of RFC 1035 and its successors.
enum class RecordType : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
};

struct Request {
  std::string name;       // as it was given
  std::string asked;      // as it is asked: for PTR, an address turned round
  std::string type_name;  // "A"
  RecordType type = RecordType::kA;
  absl::Duration timeout = absl::Seconds(10);
  bool expect_any = false;  // that there is no such name, or none of the type, is a result
};
absl::StatusOr<Request> read_request(std::string_view input);

}  // namespace fermata::dns

#endif  // FERMATA_PLUGINS_DNS_OPTIONS_H_
