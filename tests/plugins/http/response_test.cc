#include "plugins/http/response.h"

#include <gtest/gtest.h>

namespace fermata::http {
namespace {

Response response(long status, std::string body = "", std::string type = "") {
  Response out;
  out.status = status;
  out.url = "http://h/p?token=secret";
  out.body = std::move(body);
  if (!type.empty()) out.headers.emplace_back("content-type", std::move(type));
  return out;
}

absl::StatusCode code(long status) { return verdict(Request(), response(status)).code(); }

TEST(Verdict, SaysWhetherAnotherAttemptMakesSense) {
  for (long ok : {200, 204, 302, 304, 399}) EXPECT_EQ(code(ok), absl::StatusCode::kOk) << ok;
  EXPECT_EQ(code(400), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(401), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(code(403), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code(404), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(408), absl::StatusCode::kAborted);
  EXPECT_EQ(code(425), absl::StatusCode::kAborted);
  EXPECT_EQ(code(429), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code(500), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code(503), absl::StatusCode::kUnavailable);
}

TEST(Verdict, NamesTheUrlWithoutItsSecretsAndTheReason) {
  EXPECT_EQ(verdict(Request(), response(404)).message(), "GET http://h/p: 404 Not Found");
  EXPECT_EQ(verdict(Request(), response(422, R"({"error":"no"})", "application/json")).message(),
            "GET http://h/p: 422 Unprocessable Content: {\"error\":\"no\"}");
  EXPECT_EQ(verdict(Request(), response(500, "<html>", "text/html")).message(),
            "GET http://h/p: 500 Internal Server Error");
}

TEST(Verdict, AnythingCanBeExpected) {
  Request request;
  request.expect_any = true;
  EXPECT_TRUE(verdict(request, response(500)).ok());
}

TEST(Render, TextIsUtf8) {
  EXPECT_EQ(render(response(200, "caf\xE9", "text/html; charset=iso-8859-1"), BodyForm::kAuto),
            R"({"status":200,"url":"http://h/p?token=secret",)"
            R"("headers":{"content-type":"text/html; charset=iso-8859-1"},)"
            R"("bytes":4,"redirects":0,"elapsed_ms":0,"charset":"windows-1252",)"
            "\"body\":\"caf\xC3\xA9\"}");
}

TEST(Render, BytesAreBase64UnlessTextIsAskedFor) {
  const std::string bytes("\x89P\0\xFF", 4);
  const std::string out = render(response(200, bytes, "image/png"), BodyForm::kAuto);
  EXPECT_TRUE(out.ends_with(R"("body_base64":"iVAA/w=="})")) << out;
  EXPECT_EQ(out.find("\"body\":"), std::string::npos);
  const std::string text = render(response(200, "abc", "image/png"), BodyForm::kText);
  EXPECT_TRUE(text.ends_with(R"("body":"abc"})")) << text;
  const std::string base64 = render(response(200, "abc", "text/plain"), BodyForm::kBase64);
  EXPECT_TRUE(base64.ends_with(R"("body_base64":"YWJj"})")) << base64;
}

TEST(Render, WithoutATypeTextIsWhatLooksLikeIt) {
  EXPECT_TRUE(render(response(200, "abc"), BodyForm::kAuto).ends_with(R"("body":"abc"})"));
  EXPECT_TRUE(render(response(200, "\xFF"), BodyForm::kAuto).ends_with(R"("body_base64":"/w=="})"));
}

TEST(Render, NoBodyWhenNoneIsWanted) {
  const std::string out = render(response(200, "abc", "text/plain"), BodyForm::kNone);
  EXPECT_EQ(out.find("body"), std::string::npos);
  EXPECT_NE(out.find("\"bytes\":3"), std::string::npos);
}

TEST(Render, RepeatedHeadersAreJoinedAndCookiesKeptApart) {
  Response twice = response(200);
  twice.headers = {{"a", "1"}, {"set-cookie", "x=1, 2"}, {"a", "2"}, {"set-cookie", "y=3"}};
  const std::string out = render(std::move(twice), BodyForm::kNone);
  EXPECT_NE(out.find(R"("headers":{"a":"1, 2","set-cookie":"x=1, 2\ny=3"})"), std::string::npos)
      << out;
}

TEST(Render, BrokenBytesInHeadersDoNotBreakTheJson) {
  Response broken = response(200);
  broken.headers = {{"x\xFF", "y\xFE\"\x01"}};
  const std::string out = render(std::move(broken), BodyForm::kNone);
  EXPECT_NE(out.find("\"x\xEF\xBF\xBD\":\"y\xEF\xBF\xBD\\\"\\u0001\""), std::string::npos) << out;
}

}  // namespace
}  // namespace fermata::http
