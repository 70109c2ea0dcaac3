#include "services/async/net/buffered_reader.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/async/try.h"

namespace fermata {
namespace {

constexpr std::size_t kChunk = 4096;  // of which a buffer begins with one

absl::Status over_limit(const char* found, std::size_t limit, std::size_t there) {
  return absl::ResourceExhaustedError(
      absl::StrCat("expected a separator within ", limit, " bytes; ", found, " in ", there,
                   ". Raise the limit, take the bytes with read_some(), or close the stream"));
}

}  // namespace

BufferedReader::BufferedReader(Stream& stream, std::size_t limit) : stream_(stream), limit_(limit) {
  FERMATA_CHECK(limit > 0, "a BufferedReader needs a limit of at least 1 byte");
}

std::string BufferedReader::take(std::size_t size) {
  std::string bytes(buffer_, begin_, size);
  begin_ += size;
  if (begin_ == end_) begin_ = end_ = 0;
  return bytes;
}

void BufferedReader::make_room(std::size_t most) {
  if (end_ < buffer_.size()) return;
  const bool may_grow = buffer_.size() < most;
  // Half empty, so that what is moved was paid for by what was taken; or there is no other way.
  if (begin_ > 0 && (begin_ >= buffer_.size() / 2 || !may_grow)) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, size());
    end_ -= std::exchange(begin_, 0);
    return;
  }
  FERMATA_CHECK(may_grow, "a reader asked for more room than it may have");
  buffer_.resize(std::min(most, std::max(kChunk, 2 * buffer_.size())));
}

Co<absl::StatusOr<bool>> BufferedReader::fill(std::size_t most) {
  if (ended_) co_return false;
  make_room(most);
  const std::span<char> room(buffer_.data() + end_, buffer_.size() - end_);
  absl::StatusOr<std::size_t> got = co_await stream_.read_some(room);
  if (!got.ok()) co_return std::move(got).status();
  end_ += *got;
  ended_ = *got == 0;
  co_return !ended_;
}

absl::Status BufferedReader::ended_early(const std::string& wanted) const {
  if (size() == 0) {
    return absl::OutOfRangeError(absl::StrCat("expected ", wanted, "; the stream from ",
                                              stream_.peer().to_string(), " has ended"));
  }
  return absl::DataLossError(absl::StrCat("expected ", wanted, "; the stream from ",
                                          stream_.peer().to_string(), " ended after ", size(),
                                          " bytes of it"));
}

Co<absl::StatusOr<std::string>> BufferedReader::read_until(std::string separator) {
  if (separator.empty()) {
    co_return absl::InvalidArgumentError("expected a separator of at least 1 byte; got none");
  }
  std::size_t seen = 0;  // of the buffered bytes: no separator begins in them
  for (;;) {
    const std::size_t at = buffered().find(separator, seen);
    if (at != std::string_view::npos) {
      if (at > limit_) co_return over_limit("it was found after more", limit_, at);
      co_return take(at + separator.size());
    }
    seen = size() < separator.size() ? 0 : size() - separator.size() + 1;
    if (seen > limit_) co_return over_limit("there was none", limit_, size());
    bool more = co_await Try(fill(limit_ + separator.size() + kChunk));
    if (!more) co_return ended_early("a separator");
  }
}

Co<absl::StatusOr<std::string>> BufferedReader::read_line() {
  absl::StatusOr<std::string> line = co_await read_until("\n");
  if (absl::IsDataLoss(line.status()) && ended_) co_return take(size());
  if (!line.ok()) co_return line;
  line->pop_back();
  if (!line->empty() && line->back() == '\r') line->pop_back();
  co_return line;
}

Co<absl::StatusOr<std::string>> BufferedReader::read_exactly(std::size_t wanted) {
  while (size() < wanted) {
    bool more = co_await Try(fill(begin_ + wanted));
    if (!more) co_return ended_early(absl::StrCat(wanted, " bytes"));
  }
  co_return take(wanted);
}

Co<absl::StatusOr<std::string>> BufferedReader::read_some(std::size_t max) {
  if (size() == 0 && max > 0) co_await Try(fill(kChunk));
  co_return take(std::min(size(), max));
}

Co<absl::StatusOr<std::string>> BufferedReader::read_all(std::size_t max) {
  for (;;) {
    if (size() > max) {
      co_return absl::ResourceExhaustedError(absl::StrCat(
          "expected the stream to end within ", max, " bytes; there are more. Raise the limit"));
    }
    bool more = co_await Try(fill(max + kChunk));
    if (!more) co_return take(size());
  }
}

}  // namespace fermata
