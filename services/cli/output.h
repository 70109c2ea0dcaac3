#pragma once

// Writes to stdout or stderr whole, at once, and notices when nobody reads any more.
//
// `fermata list | head -1` must end quietly, and `fermata run` must follow its job to the end even
// if its progress has no reader left. So SIGPIPE is ignored and a failed write turns the stream
// off. Every command ends with end_with(), so that a result that a full disk swallowed is no
// success.

#include <string_view>

#include "services/cli/exit_code.h"
#include "services/cli/terminal.h"

namespace fermata::cli {

class Output {
 public:
  explicit Output(Terminal terminal) : terminal_(terminal) {}

  // False once the reader has gone or the disk is full; nothing is written from then on.
  bool write(std::string_view text);
  bool write_line(std::string_view text);
  bool open() const { return error_ == 0; }
  // Why it closed: an errno. EPIPE is no failure of ours, ENOSPC is.
  int error() const { return error_; }

  bool interactive() const { return terminal_.interactive && open(); }
  bool color() const { return terminal_.color; }
  TerminalSize size() const { return terminal_size(terminal_.fd); }
  // 0 when nobody knows: nothing is cut then.
  int width() const { return terminal_.interactive ? size().columns : 0; }

 private:
  friend ExitCode end_with(ExitCode code, Output& out);
  // What some file systems say only at the end: NFS, quotas. An errno, or 0.
  int flush();

  Terminal terminal_;
  int error_ = 0;
};

// What a command that wrote its result to `out` ends with: `code`; or, when part of the result was
// lost, not because its reader left, stderr says so and a success becomes kOutputLost.
ExitCode end_with(ExitCode code, Output& out);

// A result that is one text, on stdout.
ExitCode print(std::string_view text, ExitCode code = ExitCode::kOk);

}  // namespace fermata::cli
