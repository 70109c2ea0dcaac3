// One message handed to the mail server, as a coroutine. libcurl speaks SMTP and makes the MIME.
//
// Loop thread only.
#ifndef FERMATA_PLUGINS_SMTP_SEND_H_
#define FERMATA_PLUGINS_SMTP_SEND_H_

#include <string>

#include "absl/status/statusor.h"
#include "plugins/curl/multi.h"
#include "plugins/smtp/options.h"
#include "services/async/async.h"

namespace fermata::smtp {

// Wakes when the server has taken the message (250), with the JSON of the result. A reply of 4xx is
// Unavailable (another attempt), one of 5xx FailedPrecondition. On cancel: at once, the connection
// is closed; the server may have the message already. On shutdown: as cancelled. The references
// outlive it.
Co<absl::StatusOr<std::string>> send(curl::Multi& multi, const Config& config,
                                     const Request& request);

}  // namespace fermata::smtp

#endif  // FERMATA_PLUGINS_SMTP_SEND_H_
