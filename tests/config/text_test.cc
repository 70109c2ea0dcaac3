#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/nearest_name.h"
#include "services/config/sha256.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

TEST(Duration, ReadsOneAndSeveralUnits) {
  EXPECT_EQ(*parse_duration("250ms"), absl::Milliseconds(250));
  EXPECT_EQ(*parse_duration("1m30s"), absl::Seconds(90));
  EXPECT_EQ(*parse_duration("1.5s"), absl::Milliseconds(1500));
  EXPECT_EQ(*parse_duration("2d"), absl::Hours(48));
  EXPECT_EQ(*parse_duration("0"), absl::ZeroDuration());
  EXPECT_EQ(*parse_duration("0s"), absl::ZeroDuration());
}

TEST(Duration, RefusesWhatHasNoUnitOrMakesNoSense) {
  for (std::string text : {"", "5", "s", "-5s", "5 s", "5x", "1e9s", "5s5", "inf", "nan", ".s",
                           "1..2s", "99999999h", "4000d", "5sec"}) {
    EXPECT_FALSE(parse_duration(text).ok()) << text;
  }
  EXPECT_EQ(parse_duration("5").status().message(),
            "expected a duration such as 250ms, 5s, 1m30s or 24h, got '5'");
}

TEST(Duration, FormatsWhatItReads) {
  for (std::string text : {"250ms", "5s", "1m30s", "24h", "0s"}) {
    EXPECT_EQ(*parse_duration(format_duration(*parse_duration(text))), *parse_duration(text));
  }
  EXPECT_EQ(format_duration(absl::Seconds(90)), "1m30s");
}

TEST(Bytes, ReadsBinaryAndDecimalUnits) {
  EXPECT_EQ(*parse_bytes("4MiB"), uint64_t{4} << 20);
  EXPECT_EQ(*parse_bytes("1GB"), 1000000000u);
  EXPECT_EQ(*parse_bytes("1.5KiB"), 1536u);
  EXPECT_EQ(*parse_bytes("100"), 100u);
  EXPECT_EQ(*parse_bytes("100B"), 100u);
  EXPECT_EQ(*parse_bytes("2 MiB"), uint64_t{2} << 20);
}

TEST(Bytes, RefusesFractionsOfAByteAndOverflow) {
  for (std::string text :
       {"", "MiB", "-1", "1.5B", "1mib", "9999999TiB", "1e3", "4 MiB x", "0x10"}) {
    EXPECT_FALSE(parse_bytes(text).ok()) << text;
  }
}

TEST(Bytes, FormatsInTheLargestUnitThatDivides) {
  EXPECT_EQ(format_bytes(uint64_t{4} << 20), "4MiB");
  EXPECT_EQ(format_bytes(1000), "1000B");
  EXPECT_EQ(format_bytes(0), "0B");
}

TEST(NearestName, FindsTypingSlips) {
  std::vector<std::string> known = {"retry", "timeout", "parallel", "gather"};
  EXPECT_EQ(nearest_name("retyr", known), "retry");
  EXPECT_EQ(nearest_name("Timeout", known), "timeout");
  EXPECT_EQ(nearest_name("paralel", known), "parallel");
  EXPECT_EQ(did_you_mean("gahter", known), ", did you mean 'gather'?");
}

TEST(NearestName, StaysSilentAboutOtherWords) {
  std::vector<std::string> known = {"retry", "timeout", "of"};
  EXPECT_EQ(nearest_name("compensate", known), std::nullopt);
  EXPECT_EQ(nearest_name("", known), std::nullopt);
  EXPECT_EQ(nearest_name("xy", known), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100000, 'r'), known), std::nullopt);
}

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_EQ(utf8_valid_prefix("plain text, long enough for words"), 33u);
  EXPECT_TRUE(is_utf8("h\xC3\xA9llo \xE2\x82\xAC \xF0\x9F\x8E\xB5"));
  EXPECT_EQ(utf8_valid_prefix("12345678\xFF"), 8u);
  EXPECT_EQ(utf8_valid_prefix("a\x80"), 1u);
}

TEST(Utf8, RefusesOverlongSurrogatesAndBeyondUnicode) {
  for (std::string text :
       {"\xC0\x80", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xC3", "\xFE"}) {
    EXPECT_EQ(utf8_valid_prefix(text), 0u);
  }
}

TEST(Utf8, PreviewNeverCutsACharacter) {
  EXPECT_EQ(utf8_preview("abc", 10), "abc");
  EXPECT_EQ(utf8_preview("ab\xE2\x82\xAC", 4), "ab...");
  EXPECT_EQ(utf8_preview("a\n\xFF\x01", 10), "a???");
}

TEST(Utf8, PositionCountsCharactersAndLines) {
  TextPosition at = text_position("a\n\xC3\xA9x", 4);
  EXPECT_EQ(at.line, 2u);
  EXPECT_EQ(at.column, 2u);
}

// The vectors of FIPS 180-4 and of NIST's long message.
TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace fermata
