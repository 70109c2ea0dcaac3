// A client and a server on one loop, for the tests of the client.
#ifndef FERMATA_TESTS_PLUGINS_HTTP_CLIENT_ENV_H_
#define FERMATA_TESTS_PLUGINS_HTTP_CLIENT_ENV_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "plugins/http/client.h"
#include "plugins/http/fetch.h"
#include "services/async/async.h"
#include "tests/plugins/http/test_server.h"

namespace fermata::http {

struct Env {
  TestServer server;
  std::unique_ptr<Client> client;

  Request request(std::string_view path) const {
    Request out;
    out.url = server.url(path);
    out.bytes_max = 1 << 20;
    return out;
  }
};

using EnvTest = Co<void> (*)(Env*);

inline Co<absl::Status> run_with_servants(TaskGroup& group, Env* env, EnvTest test) {
  (void)group.spawn(TestServer::serve, &env->server);
  (void)group.spawn(Client::serve_sockets, env->client.get());
  (void)group.spawn(Client::serve_timer, env->client.get());
  co_await test(env);
  EXPECT_EQ(env->client->transfers(), 0u);
  group.cancel();
  co_return absl::OkStatus();
}

inline Co<absl::Status> run_env(Env* env, EnvTest test) {
  co_return co_await with_group(run_with_servants, env, test);
}

inline void run_test(EnvTest test, const std::string& config_json = "{}") {
  const absl::StatusOr<Config> config = read_config(config_json);
  ASSERT_TRUE(config.ok()) << config.status();
  EpollLoop loop;
  Env env;
  absl::StatusOr<std::unique_ptr<Client>> client = Client::make(*config);
  ASSERT_TRUE(client.ok()) << client.status();
  env.client = *std::move(client);
  const absl::Status status = loop.run(run_env, &env, test);
  EXPECT_TRUE(status.ok()) << status;
}

// The outcome of one GET in short: the body, or the code of the error.
inline Co<std::string> get(Env* env, std::string path) {
  const Request request = env->request(path);
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  if (response.ok()) co_return response->body;
  co_return std::string(absl::StatusCodeToString(response.status().code()));
}

}  // namespace fermata::http

#endif  // FERMATA_TESTS_PLUGINS_HTTP_CLIENT_ENV_H_
