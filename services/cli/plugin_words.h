#pragma once

// The words of one `fermata plugin` command, parsed by CLI11 with the same manners as the rest of
// fermata: help to stdout, complaints to stderr, exit code 2. One thread.

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "services/cli/cat.h"
#include "services/cli/exit_code.h"
#include "services/cli/output.h"

namespace fermata::cli {

// Nothing when the words are right.
inline std::optional<ExitCode> parse_words(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {
    return print(app.help());
  } catch (const CLI::ParseError& error) {
    Output(Terminal{.fd = 2})
        .write(cat("fermata: ", error.what(), "\nSee fermata plugin ", argv[0], " --help\n"));
    return ExitCode::kUsage;
  }
  return std::nullopt;
}

// "fermata: ..." to stderr.
inline ExitCode complain(const absl::Status& status, ExitCode code) {
  Output(Terminal{.fd = 2}).write_line(cat("fermata: ", status.message()));
  return code;
}

}  // namespace fermata::cli
