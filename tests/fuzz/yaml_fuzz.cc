// YAML text: a tree of bounded size, or a refusal with its place; as JSON it is JSON.
#include <string>

#include "services/config/json.h"
#include "services/config/yaml_tree.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const YamlLimits limits;
  const absl::StatusOr<YamlFile> file = parse_yaml(fuzz::text_of(data, size), "f.yaml", limits);
  if (!file.ok()) {
    FUZZ_CHECK(file.status().message().substr(0, 7) == "f.yaml:");
    FUZZ_CHECK(fuzz::readable(file.status()));
    return 0;
  }
  if (file->root == nullptr) return 0;
  FUZZ_CHECK(file->root->expanded <= limits.nodes);
  JsonDocument document;
  const JsonValue value = yaml_to_json(*file->root, document.GetAllocator());
  FUZZ_CHECK(
      parse_json(to_json(value), {.bytes = size_t{64} << 20, .depth = limits.depth + 1}).ok());
  return 0;
}
