#include "tests/plugins/s3/server.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/async/net/buffered_reader.h"
#include "services/async/net/socket.h"

namespace fermata::s3 {
namespace {

std::string response(const std::string& status, const std::string& body,
                     const std::string& headers = "") {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Length: ", body.size(), "\r\n", headers,
                      "\r\n", body);
}

std::string error(const std::string& status, const std::string& code, const std::string& message) {
  return response(status, absl::StrCat("<?xml version=\"1.0\"?>\n<Error><Code>", code,
                                       "</Code><Message>", message, "</Message></Error>"));
}

// Head and body of the next request.
Co<absl::StatusOr<SignedRequest>> read_request(BufferedReader& reader) {
  SignedRequest request;
  const std::string line = co_await Try(reader.read_line());
  const std::size_t space = line.find(' ');
  request.method = line.substr(0, space);
  request.path = line.substr(space + 1, line.rfind(' ') - space - 1);
  for (;;) {
    const std::string header = co_await Try(reader.read_line());
    if (header.empty()) break;
    std::string name = header.substr(0, header.find(':'));
    std::string value = header.substr(header.find(':') + 1);
    absl::AsciiStrToLower(&name);
    absl::StripAsciiWhitespace(&value);
    request.headers[name] = value;
  }
  std::size_t size = 0;
  (void)absl::SimpleAtoi(request.headers["content-length"], &size);
  if (size > 0) request.body = co_await Try(reader.read_exactly(size));
  co_return std::move(request);
}

}  // namespace

Server::Server() : listener_(listen_socket(Address::loopback(), ListenOptions()).value()) {}

std::string Server::endpoint() const {
  return absl::StrCat("http://", listener_.local().to_string());
}

Co<void> Server::serve(Server* self) { (void)co_await with_group(&Server::accept_all, self); }

Co<absl::Status> Server::accept_all(TaskGroup& group, Server* self) {
  for (;;) {
    Stream peer = co_await Try(self->listener_.accept());
    (void)group.spawn(&Server::talk, self, std::move(peer));
  }
}

Co<void> Server::talk(Server* self, Stream peer) {
  BufferedReader reader(peer);
  for (;;) {
    const absl::StatusOr<SignedRequest> request = co_await read_request(reader);
    if (!request.ok()) co_return;
    ++self->requests;
    if (request->path == "/bucket/stuck") {
      self->stuck.set();
      (void)co_await reader.read_some(1);
      self->hung_up.set();
      co_return;
    }
    const std::string text = self->respond(*request);
    const absl::Status written = co_await peer.write(text);
    if (!written.ok()) co_return;
  }
}

std::string Server::respond(const SignedRequest& request) {
  complaint = check_signature(request, kAccessKey, kSecretKey, kRegion);
  if (!answer.empty()) return answer;
  if (!complaint.empty()) return error("403 Forbidden", "SignatureDoesNotMatch", complaint);
  const auto found = objects.find(request.path);
  if (request.method == "PUT") {
    if (request.headers.contains("if-none-match") && found != objects.end()) {
      return error("412 Precondition Failed", "PreconditionFailed", "it is there");
    }
    objects[request.path] = request;
    return response("200 OK", "", "ETag: \"put\"\r\n");
  }
  if (found == objects.end()) return error("404 Not Found", "NoSuchKey", "no such key");
  return response("200 OK", found->second.body,
                  absl::StrCat("ETag: \"got\"\r\nContent-Type: ",
                               found->second.headers.at("content-type"), "\r\n"));
}

}  // namespace fermata::s3
