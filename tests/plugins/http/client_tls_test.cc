// Certificates and HTTP/2, against a real TLS server.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "services/config/json.h"
#include "tests/plugins/http/client_env.h"

namespace fermata::http {
namespace {

class TlsServer {
 public:
  TlsServer() : folder_(testing::TempDir()) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout " +
        key() + " -out " + certificate() + " 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    start();
  }
  ~TlsServer() {
    ::close(input_);
    ::waitpid(child_, nullptr, 0);
  }
  std::string key() const { return folder_ + "/key.pem"; }
  std::string certificate() const { return folder_ + "/certificate.pem"; }
  int port() const { return port_; }

 private:
  void start() {
    int in[2];
    int out[2];
    EXPECT_EQ(::pipe(in), 0);
    EXPECT_EQ(::pipe(out), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      for (int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
      ::execlp("node", "node", "tests/plugins/http/tls_server.js", key().c_str(),
               certificate().c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    FILE* lines = ::fdopen(out[0], "r");
    EXPECT_EQ(std::fscanf(lines, "%d", &port_), 1) << "node did not start";
    std::fclose(lines);
  }

  std::string folder_;
  pid_t child_ = -1;
  int input_ = -1;
  int port_ = 0;
};

TlsServer* server = nullptr;

class ClientTls : public testing::Test {
 protected:
  static void SetUpTestSuite() { server = new TlsServer; }
  static void TearDownTestSuite() { delete server; }
  static std::string trusting(const std::string& more = "") {
    return R"({"ca_file":)" + json_quote(server->certificate()) + more + "}";
  }
};

Request secure_request(std::string_view host = "127.0.0.1") {
  Request request;
  request.url = "https://" + std::string(host) + ":" + std::to_string(server->port()) + "/";
  request.bytes_max = 1000;
  return request;
}

Co<void> is_refused(Env* env) {
  const Request request = secure_request();
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kFailedPrecondition) << response.status();
}
TEST_F(ClientTls, UnknownCertificatesAreRefused) { run_test(is_refused); }

Co<void> is_refused_by_name(Env* env) {
  const Request request = secure_request("localhost");
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kFailedPrecondition) << response.status();
}
TEST_F(ClientTls, TheNameMustMatch) { run_test(is_refused_by_name, trusting()); }

Co<void> speaks(Env* env, std::string expected) {
  const Request request = secure_request();
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_TRUE(response.ok()) << response.status();
  if (response.ok()) {
    EXPECT_TRUE(response->body.starts_with(expected)) << response->body;
  }
}
Co<void> speaks_two(Env* env) { co_await speaks(env, "2.0 "); }
Co<void> speaks_one(Env* env) { co_await speaks(env, "1.1 "); }
TEST_F(ClientTls, TrustedCertificatesWorkAndHttp2IsTaken) { run_test(speaks_two, trusting()); }
TEST_F(ClientTls, InsecureIsAChoiceOfTheOperator) { run_test(speaks_two, R"({"insecure":true})"); }
TEST_F(ClientTls, Http2CanBeTurnedOff) { run_test(speaks_one, trusting(R"(,"http2":false)")); }

Co<void> count_two(Env* env, int* count) {
  const Request request = secure_request();
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  if (response.ok() && response->body.starts_with("2.0 ")) ++*count;
}
Co<void> get_many(TaskGroup& group, Env* env, int* count) {
  for (int i = 0; i < 50; ++i) (void)group.spawn(count_two, env, count);
  co_return;
}
Co<void> shares_one(Env* env) {
  const Request request = secure_request();
  const absl::StatusOr<Response> before = co_await fetch(*env->client, request);
  int count = 0;
  const absl::Status status = co_await with_group(get_many, env, &count);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(count, 50);
  const absl::StatusOr<Response> after = co_await fetch(*env->client, request);
  EXPECT_TRUE(before.ok() && after.ok());
  if (before.ok() && after.ok()) {
    EXPECT_EQ(before->body, after->body) << "no new connections";
  }
}
TEST_F(ClientTls, ManyCallsShareOneHttp2Connection) { run_test(shares_one, trusting()); }

}  // namespace
}  // namespace fermata::http
