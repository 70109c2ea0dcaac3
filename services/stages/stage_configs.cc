#include "services/stages/stage_configs.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/input_check.h"
#include "services/stages/static_checks.h"

namespace fermata {

absl::StatusOr<std::vector<std::string>> stage_configs(const std::vector<StageInfo>& stages,
                                                       const std::string& config) {
  std::vector<std::string> configs;
  for (const StageInfo& stage : stages) {
    const std::string where = absl::StrCat(stage.plugin_id, "/", stage.name);
    absl::StatusOr<std::shared_ptr<const JsonSchema>> schema = compile_schema(stage.config_schema);
    if (!schema.ok()) {
      return refusal(151, where,
                     absl::StrCat("its config_schema is wrong: ", schema.status().message()));
    }
    absl::StatusOr<std::string> checked = check_json(schema->get(), config);
    if (!checked.ok()) {
      return refusal(
          150, where,
          absl::StrCat("config ", checked.status().message(), " (schema of ", stage.version, ")"));
    }
    configs.push_back(*std::move(checked));
  }
  return configs;
}

}  // namespace fermata
