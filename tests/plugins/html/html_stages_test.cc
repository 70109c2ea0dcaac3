#include <gtest/gtest.h>

#include <string>

#include "plugins/html/stages.h"

namespace fermata::html {
namespace {

bool never() { return false; }

std::string selected(std::string_view input) {
  const absl::StatusOr<std::string> out = select(input, Limits(), never);
  return out.ok() ? *out : std::string(out.status().message());
}

std::string linked(std::string_view input) {
  const absl::StatusOr<std::string> out = links(input, Limits(), never);
  return out.ok() ? *out : std::string(out.status().message());
}

TEST(Select, OnePageGivesOneArray) {
  EXPECT_EQ(selected(R"j({"html":"<h1> A \"b\"</h1><h1>c</h1>","xpath":"//h1"})j"),
            R"j(["A \"b\"","c"])j");
}

TEST(Select, ManyPagesGiveOneArrayEachAndNullAnEmptyOne) {
  EXPECT_EQ(selected(R"j({"html":["<p>1",null,"<p>2<p>3"],"xpath":"//p"})j"),
            R"j([["1"],[],["2","3"]])j");
  EXPECT_EQ(selected(R"j({"html":null,"xpath":"//p"})j"), "[]");
  EXPECT_EQ(selected(R"j({"html":[],"xpath":"//p"})j"), "[]");
}

TEST(Select, OptionsChooseWhatOfANode) {
  EXPECT_EQ(selected(R"j({"html":"<a href=x>t</a><a>u</a>","xpath":"//a","attribute":"href"})j"),
            R"j(["x"])j");
  EXPECT_EQ(selected(R"j({"html":"<p>a  b","xpath":"//p","text":"raw"})j"), R"j(["a  b"])j");
  EXPECT_EQ(selected(R"j({"html":"<p>a<p>b","xpath":"//p","text":"html","limit":1})j"),
            R"j(["<p>a</p>"])j");
}

TEST(Select, ComputedValuesAreJsonValues) {
  EXPECT_EQ(selected(R"j({"html":"<p>1<p>2","xpath":"count(//p)"})j"), "[2]");
  EXPECT_EQ(selected(R"j({"html":"<p>1","xpath":"count(//p) div 2"})j"), "[0.5]");
  EXPECT_EQ(selected(R"j({"html":"<p>1","xpath":"1 div 0"})j"), "[null]");
  EXPECT_EQ(selected(R"j({"html":"<p>1","xpath":"//p = '1'"})j"), "[true]");
}

TEST(Select, ErrorsNameThePage) {
  EXPECT_EQ(selected(R"j({"html":["<p>",7],"xpath":"//p"})j"),
            "page 1: html: expected a page as a string, or null, got 7");
  EXPECT_EQ(select(R"j({"html":"","xpath":"//a["})j", Limits(), never).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(select(R"j({"xpath":"//a"})j", Limits(), never).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(select(R"j({"html":"","xpath":"//a","text":"loud"})j", Limits(), never).status().code(),
            absl::StatusCode::kInvalidArgument);
}

constexpr char kPage[] =
    R"j("html":"<a href='b.html#x'>1</a><a href='/c'>2</a><a href='b.html'>3</a>)j"
    R"j(<a href='mailto:x@y'>4</a><area href='//other/d'><a href='javascript:x()'>5</a>")j";

TEST(Links, AreAbsoluteUniqueAndOfTheWeb) {
  EXPECT_EQ(linked(std::string("{") + kPage + R"j(,"base":"http://h/a/index.html"})j"),
            R"j(["http://h/a/b.html","http://h/c","http://other/d"])j");
}

TEST(Links, OptionsWidenAndNarrow) {
  const std::string head = std::string("{") + kPage + R"j(,"base":"http://h/a/")j";
  EXPECT_EQ(linked(head + R"j(,"same_host":true})j"), R"j(["http://h/a/b.html","http://h/c"])j");
  EXPECT_EQ(linked(head + R"j(,"fragments":true,"same_host":true})j"),
            R"j(["http://h/a/b.html#x","http://h/c","http://h/a/b.html"])j");
  EXPECT_EQ(linked(head + R"j(,"unique":false,"same_host":true})j"),
            R"j(["http://h/a/b.html","http://h/c","http://h/a/b.html"])j");
  EXPECT_EQ(linked(head + R"j(,"schemes":["mailto"]})j"), R"j(["mailto:x@y"])j");
  EXPECT_EQ(linked(head + R"j(,"xpath":"//area/@href"})j"), R"j(["http://other/d"])j");
}

TEST(Links, BaseElementMovesRelativeLinksButNotTheHost) {
  EXPECT_EQ(linked(R"j({"html":"<base href='/z/'><a href=b>1</a>","base":"http://h/a/"})j"),
            R"j(["http://h/z/b"])j");
  EXPECT_EQ(linked(R"j({"html":"<base href='http://o/'><a href=b>1</a>","base":"http://h/",)j"
                   R"j("same_host":true})j"),
            "[]");
  EXPECT_EQ(linked(R"j({"html":"<base href='http://o/'><a href=b>1</a>"})j"),
            R"j(["http://o/b"])j");
}

TEST(Links, WithoutABaseOnlyAbsoluteOnesAreKnown) {
  EXPECT_EQ(linked(R"j({"html":"<a href=b>1</a><a href='http://x/y'>2</a>"})j"),
            R"j(["http://x/y"])j");
}

TEST(Links, EachPageMayHaveItsOwnBase) {
  EXPECT_EQ(linked(R"j({"html":["<a href=b>",null,"<a href=b>"],)j"
                   R"j("base":["http://h/1/",null,"http://h/3/"]})j"),
            R"j([["http://h/1/b"],[],["http://h/3/b"]])j");
  EXPECT_EQ(linked(R"j({"html":["<a href=b>","<a href=b>"],"base":["http://h/"]})j"),
            "base: 1 URLs for 2 pages; give one for each, or one for all");
  EXPECT_EQ(links(R"j({"html":"","base":7})j", Limits(), never).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(HtmlConfig, ReadsItsLimits) {
  const auto limits =
      read_limits(R"j({"max_page_bytes":"1KiB","max_elements":5,"max_answer_bytes":7})j");
  ASSERT_TRUE(limits.ok()) << limits.status();
  EXPECT_EQ(limits->page_bytes_max, 1024u);
  EXPECT_EQ(limits->elements_max, 5);
  EXPECT_EQ(limits->answer_bytes_max, 7u);
  EXPECT_EQ(read_limits(R"j({"max_page_bytes":"lots"})j").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fermata::html
