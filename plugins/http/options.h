// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_HTTP_OPTIONS_H_
#define FERMATA_PLUGINS_HTTP_OPTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugins/http/addresses.h"

namespace fermata::http {

struct Config {
  std::string user_agent = "fermata-http/1.0";
  long connections_max = 512;
  long host_connections_max = 64;
  std::uint64_t bytes_max = 8 << 20;
  AddressPolicy addresses;
  std::string ca_file;    // empty: the system's certificates
  bool insecure = false;  // true: certificates are not checked
  std::string proxy;      // empty: none, whatever the environment says
  bool http2 = true;
};
absl::StatusOr<Config> read_config(std::string_view config_json);

// How the body of the response is given.
enum class BodyForm { kAuto, kText, kBase64, kNone };

struct Request {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value", as they go out
  std::string body;
  bool has_body = false;
  absl::Duration timeout = absl::Seconds(30);
  absl::Duration connect_timeout = absl::Seconds(10);
  std::uint64_t bytes_max = 0;
  long redirects_max = 10;
  bool expect_any = false;  // a status of 400 or more is a result, not an error
  BodyForm form = BodyForm::kAuto;
};
// The input of http/get; `full` adds what http/request has more: method, body, body_base64, json.
absl::StatusOr<Request> read_request(std::string_view input, const Config& config, bool full);

// The URL without its query and fragment, which may hold secrets, for messages.
std::string_view shown_url(std::string_view url);

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_OPTIONS_H_
