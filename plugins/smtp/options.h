// What the operator configures (once per server) and what a call asks for, as typed values.
//
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_SMTP_OPTIONS_H_
#define FERMATA_PLUGINS_SMTP_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::smtp {

enum class Tls { kNone, kStartTls, kImplicit };

struct Config {
  std::string server;  // "host:port"
  Tls tls = Tls::kStartTls;
  std::string username;
  std::string password;
  std::string ca_file;
  std::string helo;                        // the name of this machine in EHLO; empty: libcurl's
  std::string from;                        // of calls that give none
  std::vector<std::string> allow_domains;  // of recipients; empty: all
  std::int64_t recipients_max = 50;
  std::uint64_t bytes_max = 10 << 20;
  std::size_t connections_max = 4;  // each takes a thread while it sends
  std::size_t waiting_max = 1000;
};
absl::StatusOr<Config> read_config(std::string_view config_json);

struct Attachment {
  std::string name;
  std::string type;
  std::string content;
};

struct Request {
  std::string from;                 // addresses alone, as they go into MAIL FROM and RCPT TO
  std::vector<std::string> to, cc;  // and these also into headers
  std::vector<std::string> bcc;
  std::string from_name;
  std::string reply_to;
  std::string subject;
  std::string text;
  std::string html;
  std::string message_id;  // "<…>"; the same for every attempt of a job
  std::vector<Attachment> attachments;
  absl::Duration timeout = absl::Minutes(1);
};
// `job_id` makes the message id, with which receivers can tell a repeated attempt.
absl::StatusOr<Request> read_request(std::string_view input, const Config& config,
                                     std::string_view job_id);

}  // namespace fermata::smtp

#endif  // FERMATA_PLUGINS_SMTP_OPTIONS_H_
