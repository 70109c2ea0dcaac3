#include "services/frontend/page_token.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace fermata::frontend {
namespace {

TEST(PageToken, GivesThePositionBack) {
  const std::string position("a\0/b\xff", 5);
  const std::string token = make_page_token(position, "filter");
  EXPECT_TRUE(std::all_of(token.begin(), token.end(), [](unsigned char c) {
    return isalnum(c) || c == '-' || c == '_';
  })) << token;
  EXPECT_EQ(read_page_token(token, "filter").value(), position);
}

TEST(PageToken, TheEmptyTokenIsTheBeginning) {
  EXPECT_EQ(read_page_token("", "anything").value(), "");
}

TEST(PageToken, OtherArgumentsAreRefused) {
  const std::string token = make_page_token("x", "state = FAILED");
  EXPECT_FALSE(read_page_token(token, "state = RUNNING").ok());
  EXPECT_FALSE(read_page_token(token, "").ok());
}

TEST(PageToken, NonsenseIsRefused) {
  for (const std::string& token :
       {std::string("x"), std::string("!!!!"), std::string("AAAAAAAAAAA"), std::string("\xff\xfe"),
        std::string(5000, 'A'), make_page_token("", "f")}) {
    EXPECT_FALSE(read_page_token(token, "f").ok()) << token.substr(0, 20);
  }
}

TEST(PageSize, ZeroIsTheDefaultTooMuchIsTheMostNegativeIsAnError) {
  EXPECT_EQ(read_page_size(0, 50, 1000).value(), 50);
  EXPECT_EQ(read_page_size(7, 50, 1000).value(), 7);
  EXPECT_EQ(read_page_size(2147483647, 50, 1000).value(), 1000);
  EXPECT_FALSE(read_page_size(-1, 50, 1000).ok());
}

}  // namespace
}  // namespace fermata::frontend
