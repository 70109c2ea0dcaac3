// The text of a message: headers and MIME parts as RFC 5322, 2045 to 2047 and 2183 want them.
//
// Made whole, as one buffer. Every body is base64, so no line of one is too long, begins with a dot
// or could be taken for a boundary. A pure function, any thread.
#ifndef FERMATA_PLUGINS_SMTP_MESSAGE_H_
#define FERMATA_PLUGINS_SMTP_MESSAGE_H_

#include <string>

#include "absl/time/time.h"
#include "plugins/smtp/options.h"

namespace fermata::smtp {

// Lines end with CRLF. Bcc is in no header: that is what makes it blind.
std::string message_text(const Request& request, absl::Time date);

}  // namespace fermata::smtp

#endif  // FERMATA_PLUGINS_SMTP_MESSAGE_H_
