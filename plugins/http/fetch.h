// One request and its answer, as a coroutine.
#ifndef FERMATA_PLUGINS_HTTP_FETCH_H_
#define FERMATA_PLUGINS_HTTP_FETCH_H_

#include "absl/status/statusor.h"
#include "plugins/http/client.h"
#include "plugins/http/options.h"
#include "plugins/http/response.h"

namespace fermata::http {

// Wakes when the answer is there, or it has failed, or request.timeout is over. On cancel: at once,
// the connection is closed. On shutdown: as cancelled. Any status of the answer is a Response here;
// verdict() judges it.
Co<absl::StatusOr<Response>> fetch(Client& client, const Request& request);

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_FETCH_H_
