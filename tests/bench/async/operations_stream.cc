// Streams: 64 bytes there and back, through the kernel.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/net/buffered_reader.h"
#include "services/async/net/socket.h"
#include "services/async/net/stream.h"
#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

constexpr std::size_t kMessageBytes = 64;

absl::StatusOr<std::pair<Stream, Stream>> connected() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return absl::UnavailableError("no socketpair");
  }
  absl::StatusOr<Stream> client = stream_from_socket(Descriptor(fds[0]));
  absl::StatusOr<Stream> server = stream_from_socket(Descriptor(fds[1]));
  if (!client.ok()) return client.status();
  if (!server.ok()) return server.status();
  return std::pair<Stream, Stream>(*std::move(client), *std::move(server));
}

std::string_view view(const std::array<char, kMessageBytes>& bytes, std::size_t size) {
  return {bytes.data(), size};
}

Co<absl::Status> echo(Stream* stream, std::array<char, kMessageBytes>* bytes) {
  for (;;) {
    std::size_t size = co_await Try(stream->read_some(*bytes));
    if (size == 0) co_return absl::OkStatus();
    co_await Try(stream->write(view(*bytes, size)));
  }
}

Co<absl::Status> ask(Stream* stream, std::array<char, kMessageBytes>* bytes, long times) {
  for (long i = 0; i < times; ++i) {
    co_await Try(stream->write(view(*bytes, kMessageBytes)));
    for (std::size_t back = 0; back < kMessageBytes;) {
      std::size_t size = co_await Try(stream->read_some(*bytes));
      if (size == 0) co_return absl::DataLossError("the echo ended");
      back += size;
    }
  }
  co_return stream->shutdown_write();
}

Co<absl::Status> stream_echo(long times) {
  absl::StatusOr<std::pair<Stream, Stream>> pair = connected();
  if (!pair.ok()) co_return pair.status();
  std::array<char, kMessageBytes> there{};
  std::array<char, kMessageBytes> back{};
  co_return co_await gather(ask(&pair->first, &there, times), echo(&pair->second, &back));
}

// The same through a BufferedReader, a line at a time.
Co<absl::Status> ask_lines(Stream* stream, long times) {
  BufferedReader reader(*stream);
  const std::string line = std::string(kMessageBytes - 1, 'x') + "\n";
  for (long i = 0; i < times; ++i) {
    co_await Try(stream->write(line));
    std::string answer = co_await Try(reader.read_line());
    keep(answer);
  }
  co_return stream->shutdown_write();
}

Co<absl::Status> stream_echo_lines(long times) {
  absl::StatusOr<std::pair<Stream, Stream>> pair = connected();
  if (!pair.ok()) co_return pair.status();
  std::array<char, kMessageBytes> back{};
  co_return co_await gather(ask_lines(&pair->first, times), echo(&pair->second, &back));
}

}  // namespace

// When the kernel reports what is not the same in every run, so there is no budget.
Operations stream_operations() {
  constexpr bool kRepeatable = false;
  return {{"stream_echo", &stream_echo, kRepeatable},
          {"stream_echo_lines", &stream_echo_lines, kRepeatable}};
}

}  // namespace fermata::bench
