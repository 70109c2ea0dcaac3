#include "plugins/http/text.h"

#include <gtest/gtest.h>

namespace fermata::http {
namespace {

Text text(std::string bytes, std::string_view content_type = "") {
  return to_text(std::move(bytes), parse_content_type(content_type));
}

TEST(ContentType, SplitsTypeAndCharset) {
  const MediaType media = parse_content_type(" Text/HTML ; x=y; CharSet = \"UTF-8\" ;charset=b");
  EXPECT_EQ(media.type, "text/html");
  EXPECT_EQ(media.charset, "utf-8");
  EXPECT_EQ(parse_content_type("text/plain;charset='latin1'").charset, "latin1");
  EXPECT_EQ(parse_content_type("nonsense;charset").type, "");
  EXPECT_EQ(parse_content_type("").type, "");
}

TEST(ContentType, TextByAnyName) {
  for (const char* type :
       {"text/html", "text/x-anything", "application/json", "application/ld+json", "image/svg+xml",
        "application/xhtml+xml", "application/javascript"}) {
    EXPECT_TRUE(is_text_type(type)) << type;
  }
  for (const char* type :
       {"", "image/png", "application/octet-stream", "application/pdf", "application/zip"}) {
    EXPECT_FALSE(is_text_type(type)) << type;
  }
}

TEST(ToText, HeaderBeatsTheDocumentAndTheMarkBeatsBoth) {
  EXPECT_EQ(text("\xE9", "text/html; charset=iso-8859-1").utf8, "\xC3\xA9");
  EXPECT_EQ(text("<meta charset=utf-8>\xE9", "text/html; charset=windows-1252").utf8,
            "<meta charset=utf-8>\xC3\xA9");
  EXPECT_EQ(text("\xEF\xBB\xBF\xC3\xA9", "text/html; charset=iso-8859-1").utf8, "\xC3\xA9");
  EXPECT_EQ(text(std::string("\xFF\xFE\x41\x00", 4)).utf8, "A");
  EXPECT_EQ(text(std::string("\xFE\xFF\x00\x41", 4)).charset, "utf-16be");
}

TEST(ToText, DocumentsSayItThemselves) {
  EXPECT_EQ(text("<meta charset=\"windows-1251\">\xCF", "text/html").utf8,
            "<meta charset=\"windows-1251\">\xD0\x9F");
  EXPECT_EQ(declared_charset("<META http-equiv=Content-Type content='text/html; charset=KOI8-R'>"),
            "koi8-r");
  EXPECT_EQ(declared_charset("<?xml version='1.0' encoding='Shift_JIS'?>"), "shift_jis");
  EXPECT_EQ(declared_charset("<meta charset=utf-16>"), "utf-8");
  EXPECT_EQ(declared_charset("<p>charset=x"), "");
  EXPECT_EQ(declared_charset("<meta charset"), "");
  EXPECT_EQ(declared_charset(std::string(2000, ' ') + "<meta charset=koi8-r>"), "");
}

TEST(ToText, LegacyCharsetsOfTheWeb) {
  EXPECT_EQ(text("\x83\x65", "text/html; charset=Shift_JIS").utf8, "\xE3\x83\x86");
  EXPECT_EQ(text("\xC4\xE3", "text/html; charset=gb2312").utf8, "\xE4\xBD\xA0");
  // What calls itself latin1 has curly quotes: the web means windows-1252.
  EXPECT_EQ(text("\x93x\x94", "text/html; charset=ISO-8859-1").utf8, "\xE2\x80\x9Cx\xE2\x80\x9D");
}

TEST(ToText, NothingSaidIsUtf8OrElseWindows1252) {
  EXPECT_EQ(text("caf\xC3\xA9").charset, "utf-8");
  EXPECT_EQ(text("caf\xE9").utf8, "caf\xC3\xA9");
  EXPECT_EQ(text("caf\xE9").charset, "windows-1252");
}

TEST(ToText, BrokenBytesAreReplacedNotDropped) {
  EXPECT_EQ(text("a\xFF\xFF"
                 "b",
                 "text/html; charset=utf-8")
                .utf8,
            "a\xEF\xBF\xBD\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(text("a\xE2\x82", "text/html; charset=utf-8").utf8, "a\xEF\xBF\xBD");
  EXPECT_EQ(text("\x83", "text/html; charset=shift_jis").utf8, "\xEF\xBF\xBD");
  EXPECT_EQ(text("\x81\x81x", "text/html; charset=windows-1252").utf8, "\xEF\xBF\xBD\xEF\xBF\xBDx");
}

TEST(ToText, UnknownAndHostileCharsetNamesFallBack) {
  EXPECT_EQ(text("caf\xC3\xA9", "text/html; charset=klingon").charset, "utf-8");
  EXPECT_EQ(text("a\xFF", "text/html; charset=klingon").utf8, "a\xEF\xBF\xBD");
  EXPECT_EQ(text("a\xFF", "text/html; charset=utf-8//IGNORE").utf8, "a\xEF\xBF\xBD");
}

TEST(ReplaceBroken, KeepsWhatIsRight) {
  EXPECT_EQ(replace_broken_utf8("a\xC3\xA9z"), "a\xC3\xA9z");
  EXPECT_EQ(replace_broken_utf8("\xC0\x80\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(replace_broken_utf8(""), "");
}

}  // namespace
}  // namespace fermata::http
