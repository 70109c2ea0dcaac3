// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_S3_OPTIONS_H_
#define FERMATA_PLUGINS_S3_OPTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::s3 {

struct Config {
  std::string endpoint;  // "https://s3.eu-central-1.amazonaws.com", without a path
  std::string region = "us-east-1";
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  bool path_style = true;            // endpoint/bucket/key, not bucket.endpoint/key
  std::vector<std::string> buckets;  // nothing else may be touched; empty: all
  std::string ca_file;
  std::uint64_t bytes_max = 16 << 20;
  long connections_max = 32;
};
absl::StatusOr<Config> read_config(std::string_view config_json);

enum class Form { kAuto, kText, kBase64 };

struct Request {
  bool put = false;
  std::string bucket;
  std::string key;
  std::string url;
  absl::Duration timeout = absl::Minutes(1);
  std::uint64_t bytes_max = 0;
  Form form = Form::kAuto;
  std::string content;
  std::vector<std::string> headers;  // "Name: value"; all of them are signed
};
absl::StatusOr<Request> read_get(std::string_view input, const Config& config);
absl::StatusOr<Request> read_put(std::string_view input, const Config& config);

// As S3 wants it in a path: everything but unreserved characters and '/' is %XX.
std::string encode_key(std::string_view key);

}  // namespace fermata::s3

#endif  // FERMATA_PLUGINS_S3_OPTIONS_H_
