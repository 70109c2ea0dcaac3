// asyncio's StreamReader: read and readline, under the names of CPython's test_streams.
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/async/net/fed.h"

namespace fermata {
namespace {

TEST(AsyncioStreams, test_read_zero) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed(kData));
    std::string none = co_await Try(fed.reader.read_some(0));
    EXPECT_EQ(none, "");
    EXPECT_REST(fed, kData);
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_read) {
  on_real_sockets([]() -> Co<absl::Status> {
    Fed fed;
    std::tuple<std::string, std::monostate> both =
        co_await Try(gather(fed.reader.read_some(30), fed.feed_later(kData)));
    EXPECT_EQ(std::get<0>(both), kData);
    EXPECT_REST(fed, "");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_read_line_breaks) {
  on_real_sockets([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed("line1"));
    co_await Try(fed.feed("line2"));
    std::string data = co_await Try(fed.reader.read_some(5));
    EXPECT_EQ(data, "line1");
    EXPECT_EQ(fed.reader.buffered(), "line2");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_read_eof) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    std::tuple<std::string, std::monostate> both =
        co_await Try(gather(fed.reader.read_some(1024), fed.feed_later("", true)));
    EXPECT_EQ(std::get<0>(both), "");
    EXPECT_TRUE(fed.reader.at_eof());
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_read_until_eof) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    std::tuple<std::string, std::monostate> both =
        co_await Try(gather(fed.reader.read_all(100), fed.feed_later("chunk1\nchunk2", true)));
    EXPECT_EQ(std::get<0>(both), "chunk1\nchunk2");
    EXPECT_TRUE(fed.reader.at_eof());
    co_return absl::OkStatus();
  });
}

// asyncio's read(-1) has no limit; read_all() has one, and leaves what there is.
TEST(AsyncioStreams, test_read_until_eof_has_a_limit_here) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed("0123456789"));
    absl::StatusOr<std::string> all = co_await fed.reader.read_all(9);
    EXPECT_EQ(all.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_REST(fed, "0123456789");
    co_return absl::OkStatus();
  });
}

// The stream breaks: every kind of read says so, once what was there before has been taken.
template <class Read>
void broken_stream(Read read) {
  SimLoop loop(0);
  SimNetwork network(loop, 0);
  static Read next = read;
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed("line\n"));
    std::string data = co_await Try(fed.reader.read_some(2));
    EXPECT_EQ(data, "li");
    SimFaults broken;
    broken.reset = 1;
    static_cast<SimNetwork*>(Loop::current().network)->set_faults(broken);
    absl::Status lost = co_await fed.feed("lost");
    EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
    absl::StatusOr<std::string> got = co_await next(fed.reader);
    EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable) << got.status();
    // Here, other than in asyncio, nothing that arrived before is lost.
    EXPECT_EQ(fed.reader.buffered(), "ne\n");
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST(AsyncioStreams, test_read_exception) {
  broken_stream([](BufferedReader& reader) { return reader.read_all(10); });
}
TEST(AsyncioStreams, test_readline_exception) {
  broken_stream([](BufferedReader& reader) { return reader.read_until("\n\n"); });
}
TEST(AsyncioStreams, test_readexactly_exception) {
  broken_stream([](BufferedReader& reader) { return reader.read_exactly(4); });
}

TEST(AsyncioStreamsDeathTest, test_invalid_limit) {
  Stream stream;
  EXPECT_DEATH(BufferedReader(stream, 0), "limit of at least 1");
}

TEST(AsyncioStreams, test_read_limit) {
  on_real_sockets([]() -> Co<absl::Status> {
    Fed fed(3);
    co_await Try(fed.feed("chunk"));
    std::string data = co_await Try(fed.reader.read_some(5));
    EXPECT_EQ(data, "chunk");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readline) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed("chunk1 "));
    std::tuple<std::string, std::monostate> both =
        co_await Try(gather(fed.reader.read_line(), fed.feed_later("chunk2 chunk3 \n chunk4")));
    EXPECT_EQ(std::get<0>(both), "chunk1 chunk2 chunk3 ");
    EXPECT_REST(fed, " chunk4");
    co_return absl::OkStatus();
  });
}

// asyncio drops the line, or all there is; here it stays, and who wants to go on skips it.
TEST(AsyncioStreams, test_readline_limit_with_existing_data) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed(3);
    co_await Try(fed.feed("li"));
    co_await Try(fed.feed("ne1\nline2\n"));
    absl::StatusOr<std::string> line = co_await fed.reader.read_line();
    EXPECT_EQ(line.status().code(), absl::StatusCode::kResourceExhausted) << line.status();
    line = co_await fed.reader.read_line();
    EXPECT_EQ(line.status().code(), absl::StatusCode::kResourceExhausted) << line.status();
    EXPECT_REST(fed, "line1\nline2\n");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_at_eof) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    EXPECT_FALSE(fed.reader.at_eof());
    co_await Try(fed.feed("some data\n"));
    EXPECT_FALSE(fed.reader.at_eof());
    co_await Try(fed.reader.read_line());
    EXPECT_FALSE(fed.reader.at_eof());
    co_await Try(fed.feed("some data\n"));
    fed.eof();
    co_await Try(fed.reader.read_line());
    // asyncio is told of the end when it arrives; here it is found by reading.
    absl::StatusOr<std::string> end = co_await fed.reader.read_line();
    EXPECT_TRUE(absl::IsOutOfRange(end.status())) << end.status();
    EXPECT_TRUE(fed.reader.at_eof());
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readline_limit) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed(7);
    auto [line, fed_ok] = co_await gather_settled(fed.reader.read_line(),
                                                  fed.feed_later("chunk1chunk2chunk3\n", true));
    EXPECT_EQ(line.status().code(), absl::StatusCode::kResourceExhausted) << line.status();
    EXPECT_REST(fed, "chunk1chunk2chunk3\n");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readline_limit_is_strict) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed(7);
    co_await Try(fed.feed("1234567\n"));
    std::string line = co_await Try(fed.reader.read_line());
    EXPECT_EQ(line, "1234567");
    co_await Try(fed.feed("12345678\n"));
    absl::StatusOr<std::string> longer = co_await fed.reader.read_line();
    EXPECT_EQ(longer.status().code(), absl::StatusCode::kResourceExhausted);
    std::string skipped = co_await Try(fed.reader.read_exactly(9));
    EXPECT_EQ(skipped, "12345678\n");
    co_await Try(fed.feed("12345678"));
    longer = co_await fed.reader.read_line();
    EXPECT_EQ(longer.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_REST(fed, "12345678");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readline_nolimit_nowait) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed(kData.substr(0, 6)));
    co_await Try(fed.feed(kData.substr(6)));
    std::string line = co_await Try(fed.reader.read_line());
    EXPECT_EQ(line, "line1");
    EXPECT_REST(fed, "line2\nline3\n");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readline_eof) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed("some data"));
    fed.eof();
    std::string line = co_await Try(fed.reader.read_line());
    EXPECT_EQ(line, "some data");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readline_empty_eof) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    fed.eof();
    absl::StatusOr<std::string> line = co_await fed.reader.read_line();
    EXPECT_TRUE(absl::IsOutOfRange(line.status())) << line.status();
    co_return absl::OkStatus();
  });
}

TEST(AsyncioStreams, test_readline_read_byte_count) {
  on_every_network([]() -> Co<absl::Status> {
    Fed fed;
    co_await Try(fed.feed(kData));
    co_await Try(fed.reader.read_line());
    std::string data = co_await Try(fed.reader.read_exactly(7));
    EXPECT_EQ(data, "line2\nl");
    EXPECT_REST(fed, "ine3\n");
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata
