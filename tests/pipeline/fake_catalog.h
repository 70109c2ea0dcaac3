#pragma once

// A StageCatalog from a list of "plugin/stage" and input schemas, for tests.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "services/pipeline/stage_catalog.h"

namespace fermata {

class FakeCatalog : public StageCatalog {
 public:
  // The stages that ship, with the parts of their schemas that the sample pipelines use.
  static FakeCatalog shipped() {
    FakeCatalog catalog;
    catalog.add("http/get",
                R"({"type": "object", "required": ["url"], "additionalProperties": false,
        "properties": {"url": {"type": "string"}, "timeout": {"type": "string", "default": "30s"},
                       "expect": {"enum": ["success", "any"]}}})");
    catalog.add("html/select", R"({"type": "object", "required": ["html", "xpath"],
        "properties": {"html": {"type": ["string", "array", "null"]},
                       "xpath": {"type": "string"}}})");
    catalog.add("json/merge", R"({"type": "object", "required": ["values"],
        "properties": {"values": {"type": "array"}}})");
    catalog.add("json/pick", R"({"type": "object", "required": ["value", "pointer"]})");
    catalog.add("time/delay", R"({"type": "object", "required": ["for"],
        "properties": {"for": {"type": "string"}, "value": {}}})");
    return catalog;
  }

  void add(const std::string& use, const std::string& schema) {
    auto compiled = JsonSchema::compile(schema);
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    stages_[use] = StageSignature{compiled.ok() ? *compiled : nullptr};
  }

  const StageSignature* find(std::string_view use) const override {
    auto found = stages_.find(std::string(use.substr(0, use.find('@'))));
    return found == stages_.end() ? nullptr : &found->second;
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, signature] : stages_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, StageSignature> stages_;
};

}  // namespace fermata
