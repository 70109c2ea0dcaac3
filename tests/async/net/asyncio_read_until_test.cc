// asyncio's StreamReader: readuntil, readexactly, and what breaks under a reader, under the names
// of CPython's test_streams.
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/async/net/fed.h"

namespace fermata {
namespace {

TEST(AsyncioStreams, test_readuntil_separator) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    absl::StatusOr<std::string> got = co_await fed.reader.read_until("");
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
    co_return absl::OkStatus();
  });
}

Co<absl::Status> expect_until_aaa(Fed& fed, std::string chunks, std::string expected) {
  std::string chunk;
  for (char c : chunks) {
    if (c != '|') {
      chunk += c;
      continue;
    }
    co_await Try(fed.feed(std::exchange(chunk, std::string())));
  }
  co_await Try(fed.feed(chunk));
  std::string got = co_await Try(fed.reader.read_until("AAA"));
  EXPECT_EQ(got, expected);
  co_return absl::OkStatus();
}

TEST(AsyncioStreams, test_readuntil_multi_chunks) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(expect_until_aaa(fed, "lineAAA", "lineAAA"));
    co_await Try(expect_until_aaa(fed, "lineAAA", "lineAAA"));
    co_await Try(expect_until_aaa(fed, "lineAAAxxx", "lineAAA"));
    EXPECT_REST(fed, "xxx");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readuntil_multi_chunks_1) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(expect_until_aaa(fed, "QWEAA|XYAA|A", "QWEAAXYAAA"));
    co_await Try(expect_until_aaa(fed, "QWEAA|XYA|AA", "QWEAAXYAAA"));
    co_await Try(expect_until_aaa(fed, "AAA", "AAA"));
    co_await Try(expect_until_aaa(fed, "XAAA", "XAAA"));
    co_await Try(expect_until_aaa(fed, "YYY|A|A|A", "YYYAAA"));
    EXPECT_REST(fed, "");
    co_return absl::OkStatus();
  });
}

// asyncio carries the bytes in the exception and empties the buffer; here they stay.
TEST(AsyncioStreams, test_readuntil_eof) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed("some dataAA"));
    fed.eof();
    absl::StatusOr<std::string> got = co_await fed.reader.read_until("AAA");
    EXPECT_TRUE(absl::IsDataLoss(got.status())) << got.status();
    EXPECT_NE(std::string(got.status().message()).find("11 bytes"), std::string::npos);
    EXPECT_EQ(fed.reader.buffered(), "some dataAA");
    EXPECT_FALSE(fed.reader.at_eof());
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readuntil_limit_found_sep) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed(3);
    co_await Try(fed.feed("some dataAA"));
    absl::StatusOr<std::string> got = co_await fed.reader.read_until("AAA");
    EXPECT_EQ(got.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_NE(std::string(got.status().message()).find("there was none"), std::string::npos);
    co_await Try(fed.feed("A"));
    std::string all = co_await Try(fed.reader.read_exactly(12));
    EXPECT_EQ(all, "some dataAAA");
    co_return absl::OkStatus();
  });
  on_real_sockets([]() -> Co<absl::Status> {
    Fed fed(3);
    co_await Try(fed.feed("some dataAAA"));
    absl::StatusOr<std::string> got = co_await fed.reader.read_until("AAA");
    EXPECT_EQ(got.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_NE(std::string(got.status().message()).find("found after"), std::string::npos);
    EXPECT_REST(fed, "some dataAAA");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readexactly_zero) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed(kData));
    std::string none = co_await Try(fed.reader.read_exactly(0));
    EXPECT_EQ(none, "");
    EXPECT_REST(fed, kData);
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readexactly) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    std::tuple<std::string, std::monostate> both = co_await Try(
        gather(fed.reader.read_exactly(2 * kData.size()), fed.feed_later(kData + kData + kData)));
    EXPECT_EQ(std::get<0>(both), kData + kData);
    EXPECT_REST(fed, kData);
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readexactly_limit) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed(3);
    co_await Try(fed.feed("chunk"));
    std::string data = co_await Try(fed.reader.read_exactly(5));
    EXPECT_EQ(data, "chunk");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readexactly_eof) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    auto [got, fed_ok] = co_await gather_settled(fed.reader.read_exactly(2 * kData.size()),
                                                 fed.feed_later(kData, true));
    EXPECT_TRUE(absl::IsDataLoss(got.status())) << got.status();
    const std::string message(got.status().message());
    EXPECT_NE(message.find("36 bytes"), std::string::npos) << message;
    EXPECT_NE(message.find("18 bytes"), std::string::npos) << message;
    EXPECT_EQ(fed.reader.buffered(), kData);
    co_return absl::OkStatus();
  });
}

// The stream breaks while somebody reads from it.
TEST(AsyncioStreams, test_exception_waiter) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimFaults broken;
    broken.reset = 1;
    on_sim_network(seed, broken, []() -> Co<absl::Status> {
      Fed fed;
      auto [line, lost] = co_await gather_settled(fed.reader.read_line(), fed.feed_later("x"));
      EXPECT_EQ(line.status().code(), absl::StatusCode::kUnavailable) << line.status();
      EXPECT_EQ(lost.status().code(), absl::StatusCode::kUnavailable) << lost.status();
      co_return absl::OkStatus();
    });
  }
}

// A reader that was cancelled is nobody's waiter any more when the stream breaks.
TEST(AsyncioStreams, test_exception_cancel) {
  on_sim_network(0, SimFaults(), []() -> Co<absl::Status> {
    Fed fed;
    absl::StatusOr<std::string> line =
        co_await timeout(absl::Milliseconds(1), fed.reader.read_line());
    EXPECT_EQ(line.status().code(), absl::StatusCode::kDeadlineExceeded);
    SimFaults broken;
    broken.reset = 1;
    static_cast<SimNetwork*>(Loop::current().network)->set_faults(broken);
    absl::Status lost = co_await fed.feed("x");
    EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata
