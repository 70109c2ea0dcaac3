#include "services/fermatad/log.h"

#include <memory>
#include <string>

#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"
#include "services/config/json.h"
#include "services/config/redactor.h"
#include "services/config/utf8.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace fermata {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// %* in a pattern: the message as a JSON string, quotes included.
class QuotedMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string quoted = json_quote({message.payload.data(), message.payload.size()});
    out.append(quoted.data(), quoted.data() + quoted.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<QuotedMessage>();
  }
};

// %& in a pattern: the message as it is, but that nobody's text can look like a line of its own.
class InsetMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    constexpr std::string_view kNextLine = "\n    ";
    for (const char c : message.payload) {
      if (c == '\n') {
        out.append(kNextLine.data(), kNextLine.data() + kNextLine.size());
      } else {
        out.push_back((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f ? '?' : c);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<InsetMessage>();
  }
};

// Written once, before any other thread logs.
Redactor& redactor() {
  static Redactor instance;
  return instance;
}

// Names of files and words of plugins are any bytes; whoever reads the log expects text.
std::string clean(std::string_view message) {
  std::string text = redactor().redact(std::string(message));
  for (size_t at = utf8_valid_prefix(text); at < text.size();) {
    text[at++] = '?';
    at += utf8_valid_prefix(std::string_view(text).substr(at));
  }
  return text;
}

void from_grpc(gpr_log_func_args* args) {
  const std::string message = std::string("grpc: ") + args->message;
  if (args->severity == GPR_LOG_SEVERITY_ERROR) {
    log_warning(message);
  } else {
    log_debug(message);
  }
}

void from_protobuf(google::protobuf::LogLevel, const char*, int, const std::string& message) {
  log_debug("protobuf: " + message);
}

}  // namespace

void set_up_log(const LogConfig& config, const std::vector<std::string>& secrets) {
  redactor() = Redactor(secrets);
  auto logger = std::make_shared<spdlog::logger>("fermatad",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<QuotedMessage>('*');
  formatter->add_flag<InsetMessage>('&');
  formatter->set_pattern(config.format == LogFormat::kJson
                             ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":%*})"
                             : "%Y-%m-%d %H:%M:%S.%e %-7l %&");
  logger->set_formatter(std::move(formatter));
  logger->set_level(to_spdlog(config.level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(&from_grpc);
  google::protobuf::SetLogHandler(&from_protobuf);
}

void log_debug(std::string_view message) { spdlog::debug("{}", clean(message)); }
void log_info(std::string_view message) { spdlog::info("{}", clean(message)); }
void log_warning(std::string_view message) { spdlog::warn("{}", clean(message)); }
void log_error(std::string_view message) { spdlog::error("{}", clean(message)); }

}  // namespace fermata
