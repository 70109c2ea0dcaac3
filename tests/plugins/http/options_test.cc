#include "plugins/http/options.h"

#include <gtest/gtest.h>

namespace fermata::http {
namespace {

absl::StatusOr<Request> full(const std::string& input, const Config& config = Config()) {
  return read_request(input, config, true);
}

std::string url_of(const std::string& input) {
  const absl::StatusOr<Request> request = full(input);
  return request.ok() ? request->url : std::string(request.status().message());
}

std::string message(const std::string& input) {
  return std::string(full(input).status().message());
}

TEST(Request, DefaultsAreSafe) {
  const absl::StatusOr<Request> request = full(R"({"url":"http://h/"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->timeout, absl::Seconds(30));
  EXPECT_EQ(request->bytes_max, Config().bytes_max);
  EXPECT_FALSE(request->expect_any);
  EXPECT_FALSE(request->has_body);
}

TEST(Request, ReadsEveryOption) {
  const absl::StatusOr<Request> request = full(
      R"j({"url":"https://h/p","method":"post","headers":{"A-B":"c","D":""},"json":{"x":[1]},)j"
      R"j("timeout":"5s","connect_timeout":"1s","max_bytes":"1KiB","max_redirects":2,)j"
      R"j("expect":"any","read":"base64"})j");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->headers,
            (std::vector<std::string>{"A-B: c", "D;", "Content-Type: application/json"}));
  EXPECT_EQ(request->body, R"({"x":[1]})");
  EXPECT_EQ(request->timeout, absl::Seconds(5));
  EXPECT_EQ(request->connect_timeout, absl::Seconds(1));
  EXPECT_EQ(request->bytes_max, 1024u);
  EXPECT_EQ(request->redirects_max, 2);
  EXPECT_TRUE(request->expect_any);
  EXPECT_EQ(request->form, BodyForm::kBase64);
}

TEST(Request, AContentTypeOfItsOwnStays) {
  const auto request =
      full(R"({"url":"http://h/","method":"PUT","json":1,"headers":{"content-type":"a/b"}})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->headers, std::vector<std::string>{"content-type: a/b"});
}

TEST(Request, BodiesComeInThreeWays) {
  EXPECT_EQ(full(R"({"url":"http://h/","method":"PUT","body":"x"})")->body, "x");
  EXPECT_EQ(full(R"({"url":"http://h/","method":"PUT","body_base64":"AAE="})")->body,
            std::string("\0\1", 2));
  EXPECT_EQ(message(R"({"url":"http://h/","method":"PUT","body":"x","json":1})"),
            "body: give one of body, body_base64 and json");
  EXPECT_EQ(message(R"({"url":"http://h/","body":"x"})"), "body: a GET request has none");
  EXPECT_EQ(message(R"({"url":"http://h/","method":"PUT","body_base64":"%"})"),
            "body_base64: expected base64");
}

TEST(Request, GetTakesNoBody) {
  const auto request = read_request(R"({"url":"http://h/","method":"PUT"})", Config(), false);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->method, "GET");
}

TEST(Request, TheServersByteLimitIsTheCeiling) {
  Config config;
  config.bytes_max = 100;
  EXPECT_EQ(full(R"({"url":"http://h/","max_bytes":1000})", config)->bytes_max, 100u);
}

TEST(Request, HeadersCannotSmuggle) {
  for (const char* headers :
       {R"({"A":"x\r\nB: y"})", R"({"A\r\nB":"y"})", R"({"":"y"})", R"({"A B":"y"})",
        R"({"A:":"y"})", R"({"A":1})", R"({"Content-Length":"5"})",
        R"({"transfer-encoding":"chunked"})", R"({"A":"x\u0000y"})", R"([])"}) {
    const auto request = full(std::string(R"({"url":"http://h/","headers":)") + headers + "}");
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << headers;
  }
}

TEST(Request, BadOptionsAreNamed) {
  for (const char* option : {R"("method":"G T")", R"("method":"CONNECT")", R"("timeout":"soon")",
                             R"("timeout":5)", R"("max_redirects":51)", R"("max_redirects":-1)",
                             R"("expect":"all")", R"("read":"x")", R"("max_bytes":"big")"}) {
    const auto request = full(std::string(R"({"url":"http://h/",)") + option + "}");
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << option;
    const std::string name(option + 1, std::string(option).find('"', 1) - 1);
    EXPECT_TRUE(std::string(request.status().message()).starts_with(name)) << request.status();
  }
}

TEST(Url, IsCheckedBeforeAnythingIsSent) {
  for (const char* url : {"", "example.com", "/path", "ftp://h/", "file:///etc/passwd", "http://",
                          "http://h:99999/", "http://[::1", "javascript:x", "http://h /"}) {
    const auto request = full(std::string(R"({"url":")") + url + R"("})");
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
  EXPECT_EQ(message(R"({"url":"http://u:secret@h/"})"),
            "url: it has a user or a password; send them in the header Authorization instead");
  EXPECT_EQ(message(R"({"url":"nope://h/?token=secret"})").find("secret"), std::string::npos);
}

TEST(Url, IsMendedAndExtended) {
  EXPECT_EQ(url_of(R"({"url":"HTTP://h/a b?c d#e"})"), "http://h/a%20b?c+d");
  EXPECT_EQ(url_of(R"({"url":"http://h","query":{"q":"a&b=c d","n":1,"t":true}})"),
            "http://h/?q=a%26b%3dc+d&n=1&t=true");
  EXPECT_EQ(url_of(R"({"url":"http://h/?a=1","query":{"b":["x","y"]}})"), "http://h/?a=1&b=x&b=y");
  EXPECT_EQ(full(R"({"url":"http://h/","query":{"a":{}}})").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(full(R"({"url":"http://h/","query":[]})").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(HttpConfig, ReadsEveryOption) {
  const auto config = read_config(
      R"({"user_agent":"u","max_connections":3,"max_connections_per_host":2,"max_bytes":"1KiB",)"
      R"("ca_file":"/ca","insecure":true,"proxy":"http://p","http2":false})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->user_agent, "u");
  EXPECT_EQ(config->connections_max, 3);
  EXPECT_EQ(config->host_connections_max, 2);
  EXPECT_EQ(config->bytes_max, 1024u);
  EXPECT_EQ(config->ca_file, "/ca");
  EXPECT_TRUE(config->insecure);
  EXPECT_EQ(config->proxy, "http://p");
  EXPECT_FALSE(config->http2);
}

TEST(HttpConfig, BadOptionsAreNamed) {
  for (const char* config : {R"({"max_connections":0})", R"({"max_connections_per_host":0})",
                             R"({"private_networks":"maybe"})", R"({"allow_networks":["10/8"]})",
                             R"({"deny_networks":"10.0.0.0/8"})", R"({"user_agent":"a\nb"})"}) {
    EXPECT_EQ(read_config(config).status().code(), absl::StatusCode::kInvalidArgument) << config;
  }
}

}  // namespace
}  // namespace fermata::http
