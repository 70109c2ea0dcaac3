#include "plugins/html/url.h"

#include <gtest/gtest.h>

#include <string>

namespace fermata::html {
namespace {

std::string resolved(std::string_view base, std::string_view reference) {
  return resolve(parse_url(base), parse_url(reference)).text();
}

// RFC 3986 section 5.4, normal and abnormal examples.
TEST(Url, ResolvesTheExamplesOfRfc3986) {
  const std::pair<const char*, const char*> kCases[] = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g#s/./x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
  };
  for (const auto& [reference, expected] : kCases) {
    EXPECT_EQ(resolved("http://a/b/c/d;p?q", reference), expected) << reference;
  }
  // The RFC writes http://g; a browser and we give the empty path its slash.
  EXPECT_EQ(resolved("http://a/b/c/d;p?q", "//g"), "http://g/");
}

TEST(Url, MendsWhatPagesWrite) {
  EXPECT_EQ(resolved("http://a/b/", "  c d.html \n"), "http://a/b/c%20d.html");
  EXPECT_EQ(resolved("http://a/b/", "x\ny\tz"), "http://a/b/xyz");
  EXPECT_EQ(resolved("http://a/b/", "..\\c"), "http://a/c");
  EXPECT_EQ(resolved("http://a/b/", "caf\xC3\xA9?q=<\">"), "http://a/b/caf%C3%A9?q=%3C%22%3E");
  EXPECT_EQ(resolved("http://a/b/", "%41%zz"), "http://a/b/%41%zz");
}

TEST(Url, EqualLinksGetEqualText) {
  EXPECT_EQ(resolved("http://a/", "HTTP://EXAMPLE.com:80"), "http://example.com/");
  EXPECT_EQ(resolved("http://a/", "https://example.com:443/x"), "https://example.com/x");
  EXPECT_EQ(resolved("http://a/", "http://example.com:443/x"), "http://example.com:443/x");
  EXPECT_EQ(resolved("https://a:443/x", "y"), "https://a/y");
}

TEST(Url, LeavesOtherSchemesAlone) {
  EXPECT_EQ(resolved("http://a/", "mailto:x@y.z"), "mailto:x@y.z");
  EXPECT_EQ(resolved("http://a/", "javascript:f(1)"), "javascript:f(1)");
  EXPECT_EQ(resolved("http://a/", "tel:+1"), "tel:+1");
}

TEST(Url, HostIsWithoutUserAndPort) {
  EXPECT_EQ(parse_url("http://u:p@Example.com:8080/x").host(), "example.com");
  EXPECT_EQ(parse_url("http://[::1]:8080/x").host(), "[::1]");
  EXPECT_EQ(parse_url("http://[::1]/x").host(), "[::1]");
  EXPECT_EQ(parse_url("x/y").host(), "");
}

TEST(Url, AnyBytesAtAllAreSomeReference) {
  for (const char* text : {"", ":", "//", "///", "?", "#", "http:", "http://", "::::", "a:b:c",
                           "http:///x", "[", "http://[", "\xff\xfe", "..", "/../../..", "\\\\"}) {
    const Url url = parse_url(text);
    EXPECT_EQ(resolve(parse_url("http://a/b"), url).scheme.empty(), false) << text;
  }
}

}  // namespace
}  // namespace fermata::html
