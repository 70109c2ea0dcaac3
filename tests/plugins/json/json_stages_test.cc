#include "plugins/json/json_stages.h"

#include <gtest/gtest.h>

#include <string>

namespace fermata::json {
namespace {

std::string picked(const std::string& input) {
  const absl::StatusOr<std::string> out = pick(input);
  return out.ok() ? *out : std::string(out.status().message());
}

std::string merged(const std::string& input) {
  const absl::StatusOr<std::string> out = merge(input);
  return out.ok() ? *out : std::string(out.status().message());
}

constexpr char kValue[] = R"({"a":{"b":[10,20]},"m~n":1,"x/y":2,"":3})";

std::string pick_pointer(const std::string& pointer) {
  return picked(std::string(R"({"value":)") + kValue + R"(,"pointer":")" + pointer + "\"}");
}

TEST(Pick, FollowsThePointersOfRfc6901) {
  EXPECT_EQ(pick_pointer("/a/b/1"), "20");
  EXPECT_EQ(pick_pointer("/a"), R"({"b":[10,20]})");
  EXPECT_EQ(pick_pointer("/m~0n"), "1");
  EXPECT_EQ(pick_pointer("/x~1y"), "2");
  EXPECT_EQ(pick_pointer("/"), "3");
  EXPECT_EQ(pick_pointer(""), R"({"a":{"b":[10,20]},"m~n":1,"x/y":2,"":3})");
}

TEST(Pick, MissingStepIsNamed) {
  const auto out = pick(R"({"value":{"a":{}},"pointer":"/a/b/c"})");
  EXPECT_EQ(out.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(out.status().message(),
            "pointer '/a/b/c': there is no 'b'; give `default` if it may be absent");
  EXPECT_EQ(pick(R"({"value":[1],"pointer":"/1"})").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(pick(R"({"value":7,"pointer":"/a"})").status().code(), absl::StatusCode::kNotFound);
}

TEST(Pick, DefaultStandsInForWhatIsMissingButNotForNull) {
  EXPECT_EQ(picked(R"({"value":{},"pointer":"/a","default":[1]})"), "[1]");
  EXPECT_EQ(picked(R"({"value":{},"pointer":"/a","default":null})"), "null");
  EXPECT_EQ(picked(R"({"value":{"a":null},"pointer":"/a","default":[1]})"), "null");
}

TEST(Pick, SeveralPointersMakeAnObject) {
  EXPECT_EQ(picked(R"({"value":{"a":1,"b":[2]},"pointers":{"x":"/b/0","y":"/a"}})"),
            R"({"x":2,"y":1})");
}

TEST(Pick, BadPointersAreInvalidAndSayWhy) {
  const auto out = pick(R"({"value":{},"pointer":"a"})");
  EXPECT_EQ(out.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(out.status().message().find("wrong at offset 0"), absl::string_view::npos);
  EXPECT_EQ(pick(R"({"value":{},"pointer":"/~2"})").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pick(R"({"value":{},"pointers":{"a":1}})").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pick(R"({"value":{},"pointer":"","pointers":{}})").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pick(R"({"value":{}})").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pick(R"({"pointer":""})").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pick("not json").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pick("[]").status().code(), absl::StatusCode::kInvalidArgument);
}

// RFC 7386, appendix A, every line.
TEST(Merge, DoesWhatTheAppendixOfRfc7386Says) {
  const struct {
    const char* target;
    const char* patch;
    const char* result;
  } kCases[] = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", R"(null)", R"(null)"},
      {R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(merged(std::string(R"({"values":[)") + c.target + "," + c.patch + "]}"), c.result)
        << c.target << " + " << c.patch;
  }
}

TEST(Merge, GoesFromLeftToRight) {
  EXPECT_EQ(merged(R"({"values":[{"a":1,"b":1},{"a":2},{"b":null,"c":3}]})"), R"({"a":2,"c":3})");
  EXPECT_EQ(merged(R"({"values":[{"a":1}]})"), R"({"a":1})");
}

TEST(Merge, NeedsValues) {
  EXPECT_EQ(merge(R"({"values":[]})").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(merge(R"({"values":1})").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(merge(R"({})").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fermata::json
