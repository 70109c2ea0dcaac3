// A BufferedReader and the other end of its stream, for the cases of CPython's test_streams.
//
// Where BufferedReader differs from asyncio's StreamReader on purpose, the test says so: bytes that
// an operation could not use stay readable, where asyncio hands them over inside the exception or
// drops them; read_line() leaves the end of the line away; at the end of the stream it is
// OutOfRange, not an empty string.
#ifndef TESTS_ASYNC_NET_FED_H_
#define TESTS_ASYNC_NET_FED_H_

#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/net/buffered_reader.h"
#include "tests/async/net/net_testing.h"

namespace fermata {

inline const std::string kData = "line1\nline2\nline3\n";

// A reader, and the other end of its stream.
class Fed {
 public:
  explicit Fed(std::size_t limit = BufferedReader::kLimit)
      : pair_(stream_pair()), reader(pair_.second, limit) {}
  Co<absl::Status> feed(std::string bytes) { co_return co_await pair_.first.write(bytes); }
  Co<absl::Status> feed_later(std::string bytes, bool then_eof = false) {
    co_await sleep(absl::Milliseconds(30));
    co_await Try(feed(std::move(bytes)));
    if (then_eof) eof();
    co_return absl::OkStatus();
  }
  void eof() { EXPECT_TRUE(pair_.first.shutdown_write().ok()); }
  // What the reader has not given out, at the end of the stream: asyncio's _buffer.
  Co<std::string> rest() {
    eof();
    absl::StatusOr<std::string> rest = co_await reader.read_all(1 << 20);
    co_return rest.value_or("no rest");
  }
  Stream& other_end() { return pair_.first; }

 private:
  std::pair<Stream, Stream> pair_;

 public:
  BufferedReader reader;
};

#define EXPECT_REST(fed, expected)             \
  do {                                         \
    std::string rest_ = co_await (fed).rest(); \
    EXPECT_EQ(rest_, expected);                \
  } while (false)

}  // namespace fermata

#endif  // TESTS_ASYNC_NET_FED_H_
