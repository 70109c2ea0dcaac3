// The daemon's log: spdlog to stderr, as text for people or one JSON object per line for machines.
//
// Set up once by main(); afterwards any thread may log. gRPC's and protobuf's own messages go
// through it too, so a hostile client cannot fill stderr with a format of its own: protobuf's
// complaints about its messages are logged at debug level only, since the client gets an answer
// that says more. Secrets of the configuration are taken out of every line, whoever wrote it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/config/config.h"

namespace fermata {

void set_up_log(const LogConfig& config, const std::vector<std::string>& secrets);

void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warning(std::string_view message);
void log_error(std::string_view message);

}  // namespace fermata
