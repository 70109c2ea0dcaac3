#include "tests/examples/http_api_server.h"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/async/net/buffered_reader.h"

namespace fermata::examples {
namespace {

struct Api {
  Api(Event& drain, ApiLimits limits) : drain(drain), limits(limits), places(limits.connections) {}
  Event& drain;
  const ApiLimits limits;
  Semaphore places;
  std::map<std::string, std::string> items;
};

struct Request {
  std::string method, target;
  std::size_t body_size = 0;
  bool keep_alive = true;
};

absl::StatusOr<Request> parse(const std::string& head) {
  std::vector<std::string> lines = absl::StrSplit(head, "\r\n", absl::SkipEmpty());
  if (lines.empty()) return absl::InvalidArgumentError("expected a request; got an empty line");
  const std::vector<std::string> words = absl::StrSplit(lines[0], ' ');
  if (words.size() != 3 || words[2] != "HTTP/1.1") {
    return absl::InvalidArgumentError("expected: METHOD /target HTTP/1.1; got: " + lines[0]);
  }
  Request request{words[0], words[1]};
  lines.erase(lines.begin());
  for (const std::string& line : lines) {
    const std::pair<std::string, std::string> header =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const std::string name = absl::AsciiStrToLower(header.first);
    const absl::string_view value = absl::StripAsciiWhitespace(header.second);
    if (name == "connection") request.keep_alive = !absl::EqualsIgnoreCase(value, "close");
    if (name == "content-length" && !absl::SimpleAtoi(value, &request.body_size)) {
      return absl::InvalidArgumentError(absl::StrCat("expected a size; got: ", value));
    }
  }
  return request;
}

std::string response(int code, const std::string& body, bool keep_alive) {
  return absl::StrCat("HTTP/1.1 ", code, code < 300 ? " OK" : " Error",
                      "\r\nContent-Length: ", body.size(),
                      keep_alive ? "" : "\r\nConnection: close", "\r\n\r\n", body);
}

std::string handle(Api& api, const Request& request, std::string body) {
  if (request.target == "/items" && request.method == "GET") {
    std::string names;
    for (const auto& [name, value] : api.items) absl::StrAppend(&names, name, "\n");
    return response(200, names, request.keep_alive);
  }
  absl::string_view name = request.target;
  if (!absl::ConsumePrefix(&name, "/items/")) return response(404, "", request.keep_alive);
  const auto item = api.items.find(std::string(name));
  if (request.method == "PUT") {
    if (item == api.items.end() && api.items.size() >= api.limits.items) {
      return response(507, "there is no room for another item\n", request.keep_alive);
    }
    api.items[std::string(name)] = std::move(body);
    return response(200, "", request.keep_alive);
  }
  if (item == api.items.end()) return response(404, "", request.keep_alive);
  if (request.method == "GET") return response(200, item->second, request.keep_alive);
  if (request.method != "DELETE") return response(405, "", request.keep_alive);
  api.items.erase(item);
  return response(200, "", request.keep_alive);
}

// Reads the body, answers, and says whether another request may follow.
Co<absl::StatusOr<bool>> answer(Api& api, Stream& stream, BufferedReader& reader, Request request) {
  if (request.body_size > api.limits.body) {
    const std::string refusal = response(413, "", false);
    co_await Try(stream.write(refusal));
    co_return false;
  }
  std::string body = co_await Try(reader.read_exactly(request.body_size));
  request.keep_alive = request.keep_alive && !api.drain.is_set();
  const std::string text = handle(api, request, std::move(body));
  co_await Try(stream.write(text));
  co_return request.keep_alive;
}

Co<absl::Status> converse(Api& api, Stream& stream) {
  BufferedReader reader(stream, api.limits.head);
  for (bool more = true; more;) {
    std::variant<absl::StatusOr<std::string>, std::monostate> next =
        co_await race(timeout(api.limits.idle, reader.read_until("\r\n\r\n")), api.drain.wait());
    if (next.index() == 1) co_return absl::OkStatus();
    absl::StatusOr<std::string>& head = std::get<0>(next);
    if (!head.ok() && !absl::IsResourceExhausted(head.status())) co_return head.status();
    absl::StatusOr<Request> request = head.ok() ? parse(*head) : head.status();
    if (!request.ok()) {
      const std::string refusal = response(400, std::string(request.status().message()), false);
      co_return co_await stream.write(refusal);
    }
    more = co_await Try(timeout(api.limits.request, answer(api, stream, reader, *request)));
  }
  co_return absl::OkStatus();
}

// How one connection ends is no concern of the others.
Co<void> connection(Api& api, Stream stream, Semaphore::Permit place) {
  (void)co_await converse(api, stream);
}

Co<absl::Status> accept_connections(TaskGroup& group, Listener& listener, Api& api) {
  for (;;) {
    Semaphore::Permit place = co_await api.places.acquire();
    std::variant<absl::StatusOr<Stream>, std::monostate> next =
        co_await race(listener.accept(), api.drain.wait());
    if (next.index() == 1) co_return absl::OkStatus();  // and the group waits for its connections
    absl::StatusOr<Stream>& stream = std::get<0>(next);
    if (!stream.ok()) co_return stream.status();
    group.spawn_named("connection", connection, std::ref(api), *std::move(stream),
                      std::move(place));
  }
}

}  // namespace

Co<absl::Status> serve_api(Listener& listener, Event& drain, ApiLimits limits) {
  Api api(drain, limits);
  co_return co_await with_group(accept_connections, listener, api);
}

}  // namespace fermata::examples
