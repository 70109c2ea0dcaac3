#include "tests/examples/http_api_server.h"

#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/net/buffered_reader.h"
#include "tests/async/net/net_testing.h"

namespace fermata::examples {
namespace {

struct Answer {
  int code = 0;
  std::string body;
};

class Browser {
 public:
  explicit Browser(Stream stream) : stream_(std::move(stream)), reader(stream_) {}
  Co<absl::StatusOr<Answer>> ask(std::string method, std::string target, std::string body = "") {
    const std::string request =
        absl::StrCat(method, " ", target,
                     " HTTP/1.1\r\nHost: test\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
    co_return co_await raw(request);
  }
  Co<absl::StatusOr<Answer>> raw(std::string request) {
    co_await Try(stream_.write(request));
    std::string head = co_await Try(reader.read_until("\r\n\r\n"));
    const std::string size = head.substr(head.find("Length: ") + 8);
    Answer answer;
    answer.code = std::atoi(head.c_str() + 9);
    answer.body = co_await Try(reader.read_exactly(std::strtoul(size.c_str(), nullptr, 10)));
    co_return answer;
  }

 private:
  Stream stream_;

 public:
  BufferedReader reader;
};

template <class F>
Co<absl::Status> serve_and_drain(TaskGroup& group, Listener& listener, Event& drain, F& clients,
                                 ApiLimits limits) {
  Task<void> server = group.spawn(serve_api, std::ref(listener), std::ref(drain), limits);
  co_await Try(clients(listener.local(), drain));
  drain.set();
  Outcome<void> ended = co_await std::move(server);
  co_return ended.status();
}

template <class F>
Co<absl::Status> with_server(F clients, ApiLimits limits) {
  absl::StatusOr<Listener> listener = listen(Address::loopback());
  if (!listener.ok()) co_return listener.status();
  Event drain;
  co_return co_await with_group(&serve_and_drain<F>, *listener, drain, clients, limits);
}

Co<absl::Status> keeps_items(Address address, Event&) {
  Stream stream = co_await Try(connect(address));
  Browser browser(std::move(stream));
  struct Step {
    const char *method, *target, *body;
    int code;
    const char* answer;
  };
  static constexpr Step kSteps[] = {
      {"GET", "/items", "", 200, ""},
      {"PUT", "/items/b", "second", 200, ""},
      {"PUT", "/items/a", "first", 200, ""},
      {"GET", "/items", "", 200, "a\nb\n"},
      {"GET", "/items/b", "", 200, "second"},
      {"PUT", "/items/c", "third", 507, "there is no room for another item\n"},
      {"PUT", "/items/b", "again", 200, ""},
      {"GET", "/items/b", "", 200, "again"},
      {"DELETE", "/items/b", "", 200, ""},
      {"GET", "/items/b", "", 404, ""},
      {"PATCH", "/items/a", "", 405, ""},
      {"GET", "/elsewhere", "", 404, ""},
  };
  for (const Step& step : kSteps) {
    Answer answer = co_await Try(browser.ask(step.method, step.target, step.body));
    EXPECT_EQ(answer.code, step.code) << step.method << " " << step.target;
    EXPECT_EQ(answer.body, step.answer) << step.method << " " << step.target;
  }
  co_return absl::OkStatus();
}

TEST(HttpApiServer, KeepsItemsOverOneConnection) {
  on_every_network([]() -> Co<absl::Status> {
    ApiLimits limits;
    limits.items = 2;
    co_return co_await with_server(keeps_items, limits);
  });
}

Co<absl::Status> expect_refused(Address address, std::string request, int code) {
  Stream stream = co_await Try(connect(address));
  Browser browser(std::move(stream));
  Answer answer = co_await Try(browser.raw(std::move(request)));
  EXPECT_EQ(answer.code, code) << answer.body;
  co_return absl::OkStatus();
}

Co<absl::Status> asks_badly(Address address, Event&) {
  co_await Try(expect_refused(address, "hello\r\n\r\n", 400));
  co_await Try(expect_refused(address, "GET / HTTP/2\r\n\r\n", 400));
  co_await Try(expect_refused(address, "PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400));
  co_await Try(
      expect_refused(address, "PUT /items/a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413));
  co_return absl::OkStatus();
}

TEST(HttpApiServer, RefusesWhatItCannotReadOrHold) {
  on_every_network(
      []() -> Co<absl::Status> { co_return co_await with_server(asks_badly, ApiLimits()); });
}

Co<absl::Status> stalls(Address address, Event&) {
  Stream idle = co_await Try(connect(address));
  Stream halfway = co_await Try(connect(address));
  co_await Try(halfway.write("PUT /items/a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"));
  for (Stream* stream : {&idle, &halfway}) {
    std::array<char, 64> buffer;
    absl::StatusOr<std::size_t> end = co_await timeout(absl::Minutes(5), stream->read_some(buffer));
    EXPECT_FALSE(absl::IsDeadlineExceeded(end.status())) << "it was not disconnected";
  }
  co_return absl::OkStatus();
}

TEST(HttpApiServer, DisconnectsWhoStalls) {
  on_every_network([]() -> Co<absl::Status> {
    ApiLimits limits;
    limits.idle = absl::Milliseconds(100);
    limits.request = absl::Milliseconds(100);
    co_return co_await with_server(stalls, limits);
  });
}

// A request that has begun when the drain begins is answered; a connection that idles is closed.
Co<absl::Status> drains_in_the_middle(Address address, Event& drain) {
  Stream idle = co_await Try(connect(address));
  Stream stream = co_await Try(connect(address));
  BufferedReader reader(stream);
  co_await Try(stream.write("PUT /items/a HTTP/1.1\r\nContent-Length: 4\r\n\r\n"));
  co_await sleep(absl::Milliseconds(100));
  drain.set();
  std::array<char, 8> buffer;
  absl::StatusOr<std::size_t> end = co_await timeout(absl::Minutes(5), idle.read_some(buffer));
  EXPECT_EQ(end.value_or(1), 0u);
  co_await Try(stream.write("body"));
  std::string answer = co_await Try(reader.read_all(1000));
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200");
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  co_return absl::OkStatus();
}

TEST(HttpApiServer, DrainsGracefully) {
  const auto scenario = []() -> Co<absl::Status> {
    co_return co_await with_server(drains_in_the_middle, ApiLimits());
  };
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    on_sim_network(seed, SimFaults(), scenario);
  }
  on_real_sockets(scenario);
}

}  // namespace
}  // namespace fermata::examples
