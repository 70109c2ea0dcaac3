// BufferedReader: lines and records from a stream. asyncio.StreamReader.
//
//   BufferedReader reader(stream);
//   for (;;) {
//     absl::StatusOr<std::string> line = co_await reader.read_line();
//     if (absl::IsOutOfRange(line.status())) break;               // the end, between two lines
//     …
//
// What ends an operation without a result, and leaves every byte readable for the next one:
//
//   OutOfRange          the stream has ended, and nothing is buffered
//   DataLoss            the stream has ended in the middle; the message says how many bytes are
//   there ResourceExhausted   no separator within the limit: a peer that never ends its line costs
//   no
//                       more than `limit` and one read of memory
//   others              the stream's own error
//
// So read_some() gets what an operation that failed, or was cancelled, has buffered: cancelling a
// read never loses a byte. asyncio gives the rest of a line at the end of the stream as a line; so
// does read_line(), and read_until() does not. One operation at a time; the stream stays the
// caller's, outlives the reader, and is read by nobody else.
#ifndef SERVICES_ASYNC_NET_BUFFERED_READER_H_
#define SERVICES_ASYNC_NET_BUFFERED_READER_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/co.h"
#include "services/async/net/stream.h"

namespace fermata {

class BufferedReader {
 public:
  static constexpr std::size_t kLimit = 64 * 1024;

  // `limit`: how many bytes there may be before a separator. At least 1.
  explicit BufferedReader(Stream& stream, std::size_t limit = kLimit);
  BufferedReader(const BufferedReader&) = delete;
  BufferedReader& operator=(const BufferedReader&) = delete;

  // All of these: on cancel, at once, and what has been buffered stays; on shutdown, likewise.

  // Wakes with the bytes up to and with the separator, which may not be empty.
  Co<absl::StatusOr<std::string>> read_until(std::string separator);
  // Wakes with the next line, without its "\n" or "\r\n"; the last one may lack it.
  Co<absl::StatusOr<std::string>> read_line();
  // Wakes when there are `size` bytes. The limit is not meant for it: the caller has named one.
  Co<absl::StatusOr<std::string>> read_exactly(std::size_t size);
  // Wakes with 1 to `max` bytes, whatever is there; empty at the end of the stream.
  Co<absl::StatusOr<std::string>> read_some(std::size_t max);
  // Wakes at the end of the stream, with the rest of it; ResourceExhausted above `max`.
  Co<absl::StatusOr<std::string>> read_all(std::size_t max);

  // The stream has ended and nothing is buffered. False does not promise that there is more.
  bool at_eof() const noexcept { return ended_ && begin_ == end_; }
  // Read from the stream, and not yet by anybody. Valid until the next operation.
  std::string_view buffered() const noexcept { return {buffer_.data() + begin_, end_ - begin_}; }

 private:
  std::size_t size() const noexcept { return end_ - begin_; }
  std::string take(std::size_t size);
  // Room for at least one more byte; the buffer grows to at most `most` bytes.
  void make_room(std::size_t most);
  // Reads more. False: the stream has ended.
  Co<absl::StatusOr<bool>> fill(std::size_t most);
  absl::Status ended_early(const std::string& wanted) const;

  Stream& stream_;
  const std::size_t limit_;
  std::string buffer_;  // all of it is room; [begin_, end_) is filled
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool ended_ = false;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_BUFFERED_READER_H_
