// The official draft-4 test suite (tests/config/draft4), every case of it that is inside one
// document.
#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/config/json_schema.h"

namespace fermata {
namespace {

constexpr char kFolder[] = "tests/config/draft4";

std::vector<std::string> suite_files() {
  std::vector<std::string> files;
  DIR* folder = opendir(kFolder);
  while (const dirent* entry = folder == nullptr ? nullptr : readdir(folder)) {
    std::string name = entry->d_name;
    if (name.find(".json") != std::string::npos) files.push_back(name);
  }
  if (folder != nullptr) closedir(folder);
  std::sort(files.begin(), files.end());
  return files;
}

JsonDocument read(const std::string& file) {
  std::ifstream stream(std::string(kFolder) + "/" + file);
  std::stringstream text;
  text << stream.rdbuf();
  absl::StatusOr<JsonDocument> document = parse_json(text.str());
  EXPECT_TRUE(document.ok()) << file << ": " << document.status();
  return document.ok() ? *std::move(document) : JsonDocument(rapidjson::kArrayType);
}

// Groups that need another document, or a name that an `id` gave.
bool is_remote(const JsonValue& group) {
  std::string text = to_json(group["schema"]);
  return text.find("\"$ref\":\"http") != std::string::npos ||
         text.find("\"id\":\"") != std::string::npos;
}

TEST(JsonSchemaSuite, EveryCaseInsideOneDocumentAgrees) {
  int cases = 0, remote = 0;
  for (const std::string& file : suite_files()) {
    JsonDocument groups = read(file);
    for (const JsonValue& group : groups.GetArray()) {
      std::string where = file + ": " + group["description"].GetString();
      if (is_remote(group)) {
        ++remote;
        continue;
      }
      auto schema = JsonSchema::compile(group["schema"]);
      EXPECT_TRUE(schema.ok()) << where << ": " << schema.status();
      if (!schema.ok()) continue;
      for (const JsonValue& test : group["tests"].GetArray()) {
        absl::Status status = (*schema)->validate(test["data"]);
        EXPECT_EQ(status.ok(), test["valid"].GetBool())
            << where << ": " << test["description"].GetString() << "\n"
            << status;
        ++cases;
      }
    }
  }
  EXPECT_GT(cases, 450);
  EXPECT_LT(remote, 25);
}

}  // namespace
}  // namespace fermata
