// Messages: what the payload of each frame means, for both ends.
//
// decode() believes nothing: each field has a limit, enumerations are checked, and a byte too many
// or too few is an error (InvalidArgument). Texts and bytes of a decoded message are its own. What
// has no message here has a payload of one field, or none (frame.h). Any thread.
#ifndef SERVICES_STAGES_ISOLATED_MESSAGES_H_
#define SERVICES_STAGES_ISOLATED_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/stages/plugin_metrics.h"
#include "services/stages/running_call.h"
#include "services/stages/stages.h"

namespace fermata {

inline constexpr uint32_t kProtocolVersion = 1;

// kHello: the plugin is loaded and initialised; or `refusal` says why not: "PLG-nnn ...".
struct Hello {
  std::string refusal;
  std::vector<StageInfo>
      stages;  // without `use`, `plugin_id` and `version`, which the server knows

  std::string encode() const;
  static absl::StatusOr<Hello> decode(std::string_view payload);
};

// kStart.
struct StartMessage {
  uint32_t stage = 0;
  bool wants_chunks = false;
  StageCallSpec spec;  // without `number`, which is the frame's, and the pointers

  std::string encode() const;
  static absl::StatusOr<StartMessage> decode(std::string_view payload);
};

// kFinish, kSubResult: how a call ended. The outcome is what StageCall made of it in the process,
// so it is the same as in the server.
struct EndMessage {
  fermata_status status = FERMATA_OK;
  StageResult result = StageResult::kOk;
  StageOutcome outcome;  // without `version`

  std::string encode() const;
  static absl::StatusOr<EndMessage> decode(std::string_view payload);
};

// kLog; on a call, or with call 0 on a stage.
struct LogMessage {
  uint32_t stage = 0;
  uint32_t level = 0;
  std::string text;

  std::string encode() const;
  static absl::StatusOr<LogMessage> decode(std::string_view payload);
};

// kProgress.
struct ProgressMessage {
  double fraction = 0;
  std::string note;

  std::string encode() const;
  static absl::StatusOr<ProgressMessage> decode(std::string_view payload);
};

// kSubCall: a call (0: an instance, outside of any call) wants another stage to run.
struct SubCallMessage {
  uint64_t parent = 0;
  int64_t deadline_ns = 0;
  bool wants_chunks = false;
  std::string use;
  std::string input;

  std::string encode() const;
  static absl::StatusOr<SubCallMessage> decode(std::string_view payload);
};

// kMetrics: everything a stage counts for itself, as it is now.
std::string encode_metrics(const PluginMetrics& metrics);
absl::StatusOr<std::vector<PluginMetric>> decode_metrics(std::string_view payload);

// kCreate: the JSON configuration of each stage, in order.
std::string encode_configs(const std::vector<std::string>& configs);
std::vector<std::string> decode_configs(std::string_view payload);

// kCreated.
std::string encode_status(const absl::Status& status);
std::optional<absl::Status> decode_status(std::string_view payload);  // nothing: no such message

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_MESSAGES_H_
