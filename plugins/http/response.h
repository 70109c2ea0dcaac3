// What came back, what it means for the job, and how it is given to the next stage.
//
// Pure functions, any thread: a large body is rendered on the offload pool.
#ifndef FERMATA_PLUGINS_HTTP_RESPONSE_H_
#define FERMATA_PLUGINS_HTTP_RESPONSE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "plugins/http/options.h"

namespace fermata::http {

struct Response {
  long status = 0;
  std::string url;  // the last one, after redirects
  long redirects = 0;
  std::int64_t elapsed_ms = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // of the last response, lower case
  std::string body;

  // The first of that name, or empty.
  std::string_view header(std::string_view name) const;
};

// What the answer means: OK below 400 or when anything is expected; else an error whose code says
// whether another attempt makes sense (README.md).
absl::Status verdict(const Request& request, const Response& response);

// {"status","url","headers":{},"body" or "body_base64","charset","bytes","redirects","elapsed_ms"}
std::string render(Response response, BodyForm form);

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_RESPONSE_H_
