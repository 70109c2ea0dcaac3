// StageSpec: what a stage says about itself, without running. The server shows it and validates by
// it.
#ifndef PLUGINS_SDK_STAGE_SPEC_H_
#define PLUGINS_SDK_STAGE_SPEC_H_

#include <cstdint>
#include <string_view>

#include "plugins/abi/fermata_abi.h"

namespace fermata {

struct StageSpec {
  std::string_view name;     // ^[a-z][a-z0-9_-]{0,47}$
  std::string_view summary;  // one line
  // JSON Schema, draft 4; empty accepts anything. The server checks and fills in defaults before
  // create() and run().
  std::string_view
      config_schema;              // of create()'s config: `plugins.config.<plugin>` of fermata.yaml
  std::string_view input_schema;  // of each call's input: the resolved `with` of the pipeline
  uint32_t flags = 0;             // FERMATA_STAGE_IDEMPOTENT | FERMATA_STAGE_STREAMS | ...
};

}  // namespace fermata

#endif  // PLUGINS_SDK_STAGE_SPEC_H_
