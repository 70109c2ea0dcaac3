// stage_configs(): what every stage of a plugin gets at create(): the plugin's section of the
// configuration, checked against the stage's schema, with defaults. Any thread.
#ifndef SERVICES_STAGES_STAGE_CONFIGS_H_
#define SERVICES_STAGES_STAGE_CONFIGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/stages/stages.h"

namespace fermata {

// `config` is JSON text. PLG-150: the schema does not accept it; PLG-151: the schema is wrong.
absl::StatusOr<std::vector<std::string>> stage_configs(const std::vector<StageInfo>& stages,
                                                       const std::string& config);

}  // namespace fermata

#endif  // SERVICES_STAGES_STAGE_CONFIGS_H_
