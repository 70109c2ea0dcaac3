// The URL of a request, checked before anything is sent. Pure functions, any thread.
#ifndef FERMATA_PLUGINS_HTTP_URL_H_
#define FERMATA_PLUGINS_HTTP_URL_H_

#include <string>

#include "absl/status/statusor.h"
#include "services/config/json.h"

namespace fermata::http {

// `text` with the members of `query` (an object of strings, numbers, booleans and arrays of them;
// may be null) added to its query. Only http and https, no user and password: they belong into a
// header, where logs do not print them.
absl::StatusOr<std::string> make_url(const std::string& text, const JsonValue* query);

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_URL_H_
