// A small S3: one bucket in memory, path style, and no mercy with signatures.
#ifndef FERMATA_TESTS_PLUGINS_S3_SERVER_H_
#define FERMATA_TESTS_PLUGINS_S3_SERVER_H_

#include <map>
#include <string>

#include "services/async/async.h"
#include "services/async/net/listener.h"
#include "services/async/net/stream.h"
#include "tests/plugins/s3/signature.h"

namespace fermata::s3 {

class Server {
 public:
  static constexpr char kAccessKey[] = "AKIDEXAMPLE";
  static constexpr char kSecretKey[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  static constexpr char kRegion[] = "eu-test-1";

  Server();
  std::string endpoint() const;
  static Co<void> serve(Server* self);

  std::map<std::string, SignedRequest> objects;  // "/bucket/key", encoded: the PUT that made it
  std::string complaint;                         // about the last signature
  std::string answer;                            // instead of all others, if not empty
  int requests = 0;
  Event stuck;    // a request for /bucket/stuck is there, and gets no answer
  Event hung_up;  // whoever sent it has closed the connection

 private:
  static Co<absl::Status> accept_all(TaskGroup& group, Server* self);
  static Co<void> talk(Server* self, Stream peer);
  std::string respond(const SignedRequest& request);

  Listener listener_;
};

}  // namespace fermata::s3

#endif  // FERMATA_TESTS_PLUGINS_S3_SERVER_H_
