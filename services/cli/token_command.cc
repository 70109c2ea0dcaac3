// `fermata token new`: a token for whoever will call, and its entry for the server's tokens file.
#include "services/cli/token_command.h"

#include "services/cli/cat.h"
#include "services/cli/output.h"
#include "services/config/json.h"
#include "services/frontend/token.h"

namespace fermata::cli {

ExitCode token_command(const Options& options) {
  Output out(Terminal{.fd = 1});
  Output err(Terminal{.fd = 2});
  const absl::StatusOr<frontend::NewToken> made = frontend::make_token();
  if (!made.ok()) {
    err.write_line(cat("fermata: ", made.status().message()));
    return ExitCode::kInternal;
  }
  const TokenOptions& wanted = options.token;
  if (options.json) {
    out.write_line(cat("{\"token\":", json_quote(made->token), ",\"id\":", json_quote(made->id),
                       ",\"sha256\":", json_quote(made->sha256),
                       ",\"principal\":", json_quote(wanted.principal), "}"));
    return end_with(ExitCode::kOk, out);
  }
  out.write_line(made->token);
  err.write(cat(
      "# The token above is shown once, and kept nowhere: give it to whoever will call.\n"
      "# The server's tokens file (auth.tokens_file) gets this entry; the file is read again when "
      "it changes.\n"
      "tokens:\n  - id: ",
      made->id, "\n    sha256: ", made->sha256, "\n    principal: ", wanted.principal,
      wanted.expires.empty() ? "" : cat("\n    expires: ", wanted.expires),
      "\n    grants:\n      - { allow: [submit, read, cancel], queues: [\"",
      wanted.queue.empty() ? "default" : wanted.queue, "\"] }\n      - { allow: [catalog] }\n"));
  return end_with(ExitCode::kOk, out);
}

}  // namespace fermata::cli
