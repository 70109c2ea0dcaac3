#include "plugins/html/document.h"

#include <gtest/gtest.h>

#include <string>

namespace fermata::html {
namespace {

bool never() { return false; }

std::string repeated(std::string_view what, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += what;
  return out;
}

absl::StatusOr<std::vector<Answer>> ask(std::string_view html, const std::string& xpath) {
  const absl::StatusOr<Document> document = Document::parse(html, Limits(), never);
  if (!document.ok()) return document.status();
  Question question;
  question.xpath = xpath;
  return document->ask(question);
}

std::vector<std::string> texts(std::string_view html, const Question& question) {
  std::vector<std::string> out;
  const absl::StatusOr<Document> document = Document::parse(html, Limits(), never);
  EXPECT_TRUE(document.ok()) << document.status();
  if (!document.ok()) return out;
  const auto answers = document->ask(question);
  EXPECT_TRUE(answers.ok()) << answers.status();
  if (!answers.ok()) return out;
  for (const Answer& answer : *answers) out.push_back(std::get<std::string>(answer));
  return out;
}

Question xpath(std::string text, Form form = Form::kText) {
  Question question;
  question.xpath = std::move(text);
  question.form = form;
  return question;
}

using Texts = std::vector<std::string>;

TEST(Document, AnswersInDocumentOrder) {
  EXPECT_EQ(texts("<p>b<p>a<div><p>c</div>", xpath("//p")), (Texts{"b", "a", "c"}));
  EXPECT_EQ(texts("<a href='x'>1</a><a href='y'>2</a>", xpath("//a/@href")), (Texts{"x", "y"}));
}

TEST(Document, TextIsCollapsedRawOrHtml) {
  const char* page = "<p>\n one\xC2\xA0 <b>two</b>\t</p>";
  EXPECT_EQ(texts(page, xpath("//p")), Texts{"one two"});
  EXPECT_EQ(texts(page, xpath("//p", Form::kRaw)), Texts{"\n one\xC2\xA0 two\t"});
  EXPECT_EQ(texts("<p>1 <b>2</b></p>", xpath("//p", Form::kHtml)), Texts{"<p>1 <b>2</b></p>"});
  EXPECT_EQ(texts("<a title=' x  y '>1</a>", xpath("//a/@title")), Texts{" x  y "});
}

TEST(Document, AttributeSkipsElementsWithoutIt) {
  Question question = xpath("//a");
  question.attribute = "href";
  EXPECT_EQ(texts("<a href=1></a><a></a><a href=''></a>", question), (Texts{"1", ""}));
}

TEST(Document, LimitStopsEarly) {
  Question question = xpath("//p");
  question.limit = 2;
  EXPECT_EQ(texts("<p>1<p>2<p>3", question), (Texts{"1", "2"}));
}

TEST(Document, ComputedValuesKeepTheirType) {
  EXPECT_EQ(std::get<double>(ask("<p>1<p>2", "count(//p)")->front()), 2);
  EXPECT_EQ(std::get<bool>(ask("<p>1", "boolean(//a)")->front()), false);
  EXPECT_EQ(std::get<std::string>(ask("<title>t", "string(//title)")->front()), "t");
}

TEST(Document, WrongExpressionsAreNamedEvenOnAnEmptyPage) {
  for (const char* wrong : {"//a[", "nonsense()", "//x:a", "$v", "", "1 +"}) {
    const auto answers = ask("<a>1</a>", wrong);
    EXPECT_EQ(answers.status().code(), absl::StatusCode::kInvalidArgument) << wrong;
    EXPECT_NE(answers.status().message().find(wrong), absl::string_view::npos);
  }
  EXPECT_EQ(ask("", "//a[").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ask("", "//a").ok());
}

TEST(Document, OpensNoFilesAndNoNetwork) {
  const char* page =
      "<!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><p>&x;</p>"
      "<xi:include href='file:///etc/passwd' xmlns:xi='http://www.w3.org/2001/XInclude'/>";
  for (const std::string& text : texts(page, xpath("//p"))) {
    EXPECT_EQ(text.find("root:"), std::string::npos);
  }
  EXPECT_EQ(ask("<p>", "document('/etc/passwd')").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Document, CharsetHintsInsideAreIgnoredSinceTheTextIsUtf8Already) {
  EXPECT_EQ(texts("<meta charset=iso-8859-1><p>caf\xC3\xA9", xpath("//p")), Texts{"caf\xC3\xA9"});
}

TEST(Document, BrokenBytesAndNulsDoNotEndThePage) {
  using std::string_literals::operator""s;
  EXPECT_EQ(texts("<p>1\0<p>2"s, xpath("//p")), (Texts{"1", "2"}));
  EXPECT_EQ(texts("<p>\xff\xfe<p>2", xpath("//p")).size(), 2u);
  EXPECT_EQ(texts("<p>\xF0\x9F\x98", xpath("//p")).size(), 1u);
}

TEST(Document, EmptyPagesHaveNothing) {
  for (const char* page : {"", " \n", "<!-- x -->", "<", "&", "<!"}) {
    const auto answers = ask(page, "//a");
    ASSERT_TRUE(answers.ok()) << page << answers.status();
    EXPECT_TRUE(answers->empty()) << page;
  }
}

TEST(Document, HostilePagesEndInAnErrorOrAnAnswer) {
  constexpr std::size_t kBytes = 200'000;
  for (const char* what : {"<a href=x>", "<p>", "<table><tr><td>", "<!--", "<![CDATA[", "<?",
                           "<!DOCTYPE ", "</a>", "&", "<", "<form><a><p>", "<head><body><html>",
                           "&#x41;", "<a b=", "\"'", "<script></scrip"}) {
    const auto answers = ask(repeated(what, kBytes), "//a");
    if (!answers.ok()) {
      EXPECT_NE(answers.status().code(), absl::StatusCode::kInternal) << what;
    }
  }
}

TEST(Document, NestingIsLimited) {
  const auto deep = ask(repeated("<div>", 1 << 20), "//div");
  EXPECT_EQ(deep.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(deep.status().message(), "html: nested deeper than 2048 open tags");
  // Deeper than libxml2's own limit, at which it drops the rest.
  EXPECT_EQ(texts(repeated("<div>", 5 * 1000) + "<p>end", xpath("//p")), Texts{"end"});
}

TEST(Document, AttributesOfOneTagAreLimited) {
  std::string tag = "<a ";
  for (int i = 0; i < 100'000; ++i) tag += "a" + std::to_string(i) + " ";
  EXPECT_EQ(ask(tag, "//a").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Document, ElementsAndBytesAreLimited) {
  Limits limits;
  limits.elements_max = 1000;
  EXPECT_EQ(Document::parse(repeated("<p>x", 50'000), limits, never).status().code(),
            absl::StatusCode::kOutOfRange);
  limits.page_bytes_max = 10;
  EXPECT_EQ(Document::parse("<p>0123456789", limits, never).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(Document, ExplodingExpressionsStop) {
  const std::string page = "<ul>" + repeated("<li>x", 50'000);
  EXPECT_EQ(ask(page, "//li/following-sibling::li/preceding-sibling::li").status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ask(page, "//*[count(//*[count(//*) > 0]) > 0]").status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(Document, AnswersAreLimitedInBytes) {
  // Each ancestor's text holds all of its descendants' text.
  const std::string page = repeated("<b>", 3 * 1000) + repeated("y", 1000);
  Limits limits;
  limits.answer_bytes_max = 100'000;
  const absl::StatusOr<Document> document = Document::parse(page, limits, never);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->ask(xpath("//b")).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(document->ask(xpath("(//b)[position() < 100]"))->size(), 99u);
}

TEST(Document, StopsWhenNobodyWaits) {
  int asked = 0;
  const auto soon = [&] { return ++asked > 2; };
  const auto document = Document::parse(repeated("<p>x", 1 << 20), Limits(), soon);
  EXPECT_EQ(document.status().code(), absl::StatusCode::kCancelled);
  EXPECT_LT(asked, 10);
}

TEST(Document, BaseHrefIsTheFirst) {
  const auto document =
      Document::parse("<base target=x><base href='/a/'><base href='/b/'>", Limits(), never);
  EXPECT_EQ(document->base_href(), "/a/");
}

}  // namespace
}  // namespace fermata::html
