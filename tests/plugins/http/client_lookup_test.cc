// A name server that does not answer: this program's own getaddrinfo() is what libcurl calls.
#include <netdb.h>

#include <semaphore>

#include "tests/plugins/http/client_env.h"

namespace fermata::http {
namespace {

struct Lookup {
  Loop* loop = nullptr;
  Event began;
  Event ended;
};
Lookup* lookup = nullptr;
std::binary_semaphore answer(0);
std::binary_semaphore left_the_loop(0);

Co<absl::Status> cancel_lookup(TaskGroup& group, Env* env) {
  Request request = env->request("/ok");
  request.url = "http://slow.test/";
  const auto fetch_it = [](Env* at, Request what) -> Co<bool> {
    const absl::StatusOr<Response> response = co_await fetch(*at->client, what);
    co_return response.ok();
  };
  const Task<bool> task = group.spawn(fetch_it, env, std::move(request));
  co_await lookup->began.wait();
  const std::string body = co_await get(env, "/ok");
  EXPECT_EQ(body, "hello") << "the loop goes on while a name is looked up";
  EXPECT_FALSE(task.done());
  task.cancel();
  const Outcome<bool> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  EXPECT_FALSE(lookup->ended.is_set()) << "the cancellation did not wait for the name server";
  answer.release();
  co_await lookup->ended.wait();
  left_the_loop.acquire();  // it is past post(): the loop may go
  co_return absl::OkStatus();
}
Co<void> cancels_lookup(Env* env) {
  lookup->loop = &Loop::current();
  const absl::Status status = co_await with_group(cancel_lookup, env);
  EXPECT_TRUE(status.ok()) << status;
}
TEST(ClientLookup, ASilentNameServerHoldsNeitherTheLoopNorACancellation) {
  Lookup here;
  lookup = &here;
  run_test(cancels_lookup);
}

}  // namespace
}  // namespace fermata::http

// On a thread of libcurl's.
extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char*, const char*,
                                                                  const addrinfo*, addrinfo**) {
  fermata::http::Lookup& lookup = *fermata::http::lookup;
  lookup.loop->post([&lookup] { lookup.began.set(); });
  fermata::http::answer.acquire();
  lookup.loop->post([&lookup] { lookup.ended.set(); });
  fermata::http::left_the_loop.release();
  return EAI_AGAIN;
}
