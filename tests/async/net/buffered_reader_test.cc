// BufferedReader against a plain model, and its memory.
#include "services/async/net/buffered_reader.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/net/net_testing.h"

namespace fermata {
namespace {

std::uint64_t draw(std::uint64_t below) {
  return static_cast<SimLoop&>(Loop::current()).random(below);
}

// Short lines, long ones, and separators that begin again in themselves.
std::string drawn_text() {
  std::string text;
  const std::uint64_t size = draw(3000);
  while (text.size() < size) {
    text += "ab\r\n"[draw(4)];
    if (draw(40) == 0) text += std::string(draw(300), 'x');
  }
  return text;
}

Co<absl::Status> write_drawn_pieces(Stream& stream, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = 1 + draw(200);
    co_await Try(stream.write(std::string_view(text).substr(at, size)));
    at += size;
    if (draw(4) == 0) co_await sleep(absl::Microseconds(draw(5000)));
  }
  co_return stream.shutdown_write();
}

// What read_until should give, by looking at all of the text.
absl::StatusCode model_until(std::string_view rest, const std::string& separator, std::size_t limit,
                             std::string_view* got) {
  const std::size_t at = rest.find(separator);
  if (at != std::string_view::npos && at <= limit) {
    *got = rest.substr(0, at + separator.size());
    return absl::StatusCode::kOk;
  }
  if (at != std::string_view::npos) return absl::StatusCode::kResourceExhausted;
  if (rest.size() + 1 > limit + separator.size()) return absl::StatusCode::kResourceExhausted;
  return rest.empty() ? absl::StatusCode::kOutOfRange : absl::StatusCode::kDataLoss;
}

Co<absl::Status> read_as_the_model_does(Stream& stream, const std::string& text) {
  const std::size_t limit = 1 + draw(300);
  BufferedReader reader(stream, limit);
  std::string_view rest = text;
  while (!rest.empty() || !reader.at_eof()) {
    if (draw(3) == 0) {
      const std::size_t max = 1 + draw(50);
      std::string some = co_await Try(reader.read_some(max));
      EXPECT_LE(some.size(), max);
      EXPECT_EQ(some, rest.substr(0, some.size()));
      EXPECT_EQ(some.empty(), rest.empty());
      rest.remove_prefix(some.size());
      continue;
    }
    if (draw(3) == 0) {
      const std::size_t size = draw(100);
      absl::StatusOr<std::string> exactly = co_await reader.read_exactly(size);
      EXPECT_EQ(exactly.ok(), size <= rest.size());
      if (!exactly.ok()) continue;
      EXPECT_EQ(*exactly, rest.substr(0, size));
      rest.remove_prefix(size);
      continue;
    }
    std::string separator = "\n";
    if (draw(2) == 0) separator = "\r\n\r\n";
    std::string_view expected;
    const absl::StatusCode code = model_until(rest, separator, limit, &expected);
    absl::StatusOr<std::string> got = co_await reader.read_until(separator);
    EXPECT_EQ(got.status().code(), code) << got.status();
    if (::testing::Test::HasFailure()) co_return absl::InternalError("differs from the model");
    if (got.ok()) {
      EXPECT_EQ(*got, expected);
      rest.remove_prefix(expected.size());
    } else if (code == absl::StatusCode::kResourceExhausted) {
      std::string skipped = co_await Try(reader.read_exactly(std::min(rest.size(), limit)));
      EXPECT_EQ(skipped, rest.substr(0, skipped.size()));
      rest.remove_prefix(skipped.size());
    } else if (code == absl::StatusCode::kDataLoss) {
      EXPECT_EQ(reader.buffered(), rest);
    }
  }
  co_return absl::OkStatus();
}

TEST(BufferedReader, EveryMixOfReadsGivesWhatTheWholeTextSays) {
  on_sim_networks(
      []() -> Co<absl::Status> {
        auto [a, b] = stream_pair();
        const std::string text = drawn_text();
        co_return co_await gather(write_drawn_pieces(a, text), read_as_the_model_does(b, text));
      },
      400);
}

TEST(BufferedReader, ReadsThatTimeOutAllTheTimeLoseNoByte) {
  on_sim_networks([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    std::string text;
    for (int i = 0; i < 50; ++i) text += "line " + std::to_string(i) + "\n";
    co_return co_await gather(write_drawn_pieces(a, text), [](Stream& stream) -> Co<absl::Status> {
      BufferedReader reader(stream);
      int next = 0;
      while (next < 50) {
        absl::StatusOr<std::string> line =
            co_await timeout(absl::Microseconds(500), reader.read_line());
        if (absl::IsDeadlineExceeded(line.status())) continue;
        EXPECT_EQ(line.value_or("none"), "line " + std::to_string(next));
        ++next;
      }
      co_return absl::OkStatus();
    }(b));
  });
}

Co<absl::Status> flood(Stream& stream) {
  const std::string bytes(100'000, 'x');
  for (;;) co_await Try(stream.write(bytes));
}

TEST(BufferedReader, APeerThatNeverEndsItsLineIsStoppedAtTheLimit) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    BufferedReader reader(b, 10'000);
    co_return co_await with_group(
        [](TaskGroup& group, Stream& peer, BufferedReader& reader) -> Co<absl::Status> {
          group.spawn(flood, std::ref(peer));
          absl::StatusOr<std::string> line = co_await reader.read_line();
          EXPECT_EQ(line.status().code(), absl::StatusCode::kResourceExhausted);
          EXPECT_LE(reader.buffered().size(), 10'000u + 4096 + 1);
          group.cancel();
          co_return absl::OkStatus();
        },
        a, reader);
  });
}

TEST(BufferedReader, LinesEndWithOrWithoutCarriageReturn) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    co_await Try(a.write("one\r\ntwo\n\r\n\n\rfive\r"));
    EXPECT_TRUE(a.shutdown_write().ok());
    BufferedReader reader(b);
    for (const char* expected : {"one", "two", "", "", "\rfive\r"}) {
      std::string line = co_await Try(reader.read_line());
      EXPECT_EQ(line, expected);
    }
    co_return absl::OkStatus();
  });
}

// The buffer is reused, not grown, whatever passes through it.
TEST(BufferedReader, AHundredThousandShortLinesNeedNoMoreMemoryThanOne) {
  on_sim_network(0, SimFaults(), []() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    co_return co_await gather(
        [](Stream& stream) -> Co<absl::Status> {
          std::string lines;
          for (int i = 0; i < 1000; ++i) lines += "0123456789\n";
          for (int i = 0; i < 100; ++i) co_await Try(stream.write(lines));
          co_return stream.shutdown_write();
        }(a),
        [](Stream& stream) -> Co<absl::Status> {
          BufferedReader reader(stream);
          for (int i = 0; i < 100'000; ++i) {
            std::string line = co_await Try(reader.read_line());
            if (line != "0123456789") co_return absl::DataLossError(line);
            EXPECT_LE(reader.buffered().size(), 4096u);
          }
          co_return absl::OkStatus();
        }(b));
  });
}

}  // namespace
}  // namespace fermata
