#pragma once

// What the pipeline loader may ask about the stages that exist, so that it can find unknown stages
// and wrong `with` objects at load. The daemon implements it on top of its plugins; tests with a
// map. Called on the loading thread only; the answers must live as long as the catalog.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/config/json_schema.h"

namespace fermata {

struct StageSignature {
  std::shared_ptr<const JsonSchema> input_schema;  // of the `with` object; null: anything
};

class StageCatalog {
 public:
  virtual ~StageCatalog() = default;

  // `use` is "plugin/stage" or "plugin/stage@version". Null: there is no such stage.
  virtual const StageSignature* find(std::string_view use) const = 0;

  // Every "plugin/stage", for hints and lists.
  virtual std::vector<std::string> names() const = 0;
};

}  // namespace fermata
