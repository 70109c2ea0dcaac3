// A small web server for tests, as coroutines on the test's own loop: what the client does and what
// the server sees are in one order, without threads and without sleeping.
//
// The path of a request says how the answer is to behave (well or badly); test_server.cc lists
// them.
#ifndef FERMATA_TESTS_PLUGINS_HTTP_TEST_SERVER_H_
#define FERMATA_TESTS_PLUGINS_HTTP_TEST_SERVER_H_

#include <string>
#include <string_view>
#include <vector>

#include "services/async/async.h"

namespace fermata::http {

class TestServer {
 public:
  TestServer();  // listens on a free port of 127.0.0.1
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // Serves until it is cancelled.
  static Co<absl::Status> serve(TestServer* server);

  std::string url(std::string_view path) const;
  int port() const { return port_; }

  std::vector<std::string> heads;  // of the requests, in order, with their bodies
  int accepted = 0;                // connections ever
  int open = 0;                    // connections now
  int open_max = 0;
  Event stuck;    // set when a connection begins to wait for the client to go away
  Event hung_up;  // set when one of those sees it go

 private:
  static Co<absl::Status> accept_all(TaskGroup& group, TestServer* server);
  static Co<void> talk(TestServer* server, int fd);

  int listener_ = -1;
  int port_ = 0;
};

}  // namespace fermata::http

#endif  // FERMATA_TESTS_PLUGINS_HTTP_TEST_SERVER_H_
