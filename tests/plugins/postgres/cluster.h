// A PostgreSQL server of its own for one test program: in a new folder, on a Unix socket, gone
// afterwards.
//
// PostgreSQL refuses to run as root. A test that is root gives it another user: Debian's, or, in a
// sandbox where there is no other, root's files seen from a user namespace in which they are not
// root's.
#ifndef FERMATA_TESTS_PLUGINS_POSTGRES_CLUSTER_H_
#define FERMATA_TESTS_PLUGINS_POSTGRES_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/async.h"
#include "services/async/process/subprocess.h"

namespace fermata::postgres {

class Cluster {
 public:
  static constexpr char kUser[] = "tester";
  static constexpr char kPassword[] = "right";

  // Blocks: for the set-up of a suite.
  static absl::StatusOr<std::unique_ptr<Cluster>> make();
  ~Cluster();

  const std::string& folder() const { return folder_; }  // also of the socket
  // Stops it in the middle of everything, and starts it again.
  Co<absl::Status> stop();
  Co<absl::Status> start();

 private:
  Cluster() = default;
  static Co<absl::Status> prepare(Cluster* self);
  Co<absl::Status> find_user();
  std::vector<std::string> as_user(std::vector<std::string> argv) const;

  std::string folder_;
  std::vector<std::string> prefix_;  // what runs a command as another user
  std::unique_ptr<Subprocess> server_;
};

}  // namespace fermata::postgres

#endif  // FERMATA_TESTS_PLUGINS_POSTGRES_CLUSTER_H_
