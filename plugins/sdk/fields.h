// Fields: the members of a JSON object as a stage's typed options, with one check at the end.
//
//   Fields fields(document);
//   options.url = fields.text("url");
//   options.timeout = fields.duration("timeout", absl::Seconds(30));
//   if (!fields.status().ok()) return fields.status();
//
// The server has checked the object against the stage's schema and filled in defaults, so an error
// here is rare; what the schema cannot say (a duration's form) is said by this. The value must
// outlive it. One thread at a time.
#ifndef FERMATA_PLUGINS_SDK_FIELDS_H_
#define FERMATA_PLUGINS_SDK_FIELDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/config/json.h"

namespace fermata {

class Fields {
 public:
  explicit Fields(const JsonValue& object);

  // Each gives `otherwise` when there is no such member, or it is null, or it is wrong.
  std::string text(std::string_view name, std::string_view otherwise = "");
  std::int64_t integer(std::string_view name, std::int64_t otherwise);
  bool flag(std::string_view name, bool otherwise);
  absl::Duration duration(std::string_view name, absl::Duration otherwise);  // "1m30s"
  std::uint64_t bytes(std::string_view name, std::uint64_t otherwise);       // "4MiB" or a number
  std::vector<std::string> texts(std::string_view name);                     // an array of strings
  // Any member as it is; null when there is none.
  const JsonValue* any(std::string_view name) const;

  // For a check of the caller's own: the first complaint wins.
  void complain(std::string_view name, std::string_view what);

  const absl::Status& status() const { return status_; }

 private:
  const JsonValue* present(std::string_view name) const;
  void wrong_type(std::string_view name, std::string_view expected, const JsonValue& got);

  const JsonValue& object_;
  absl::Status status_;
};

}  // namespace fermata

#endif  // FERMATA_PLUGINS_SDK_FIELDS_H_
