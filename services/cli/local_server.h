#pragma once

// A whole server inside this process, for `run --local`: the same engine, plugins and front end as
// fermatad, on a socket in a folder that only we can enter. So a local run and a remote one are the
// same code on both sides.
//
// Its loop runs on a thread of its own. The destructor cancels what still runs and joins it.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/cli/options.h"

namespace fermata::cli {

class LocalServer {
 public:
  // Returns once it serves. INVALID_ARGUMENT when there is neither a configuration nor a folder of
  // plugins; otherwise what fermatad would say on start.
  static absl::StatusOr<std::unique_ptr<LocalServer>> start(const LocalOptions& options);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  const std::string& address() const;
  // Plugins that were not loaded, and why: "PLG-nnn ...".
  const std::vector<std::string>& refusals() const;

 private:
  class State;
  explicit LocalServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fermata::cli
