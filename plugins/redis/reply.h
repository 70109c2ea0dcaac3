// Reply: one answer of Redis as a value, and the reader that makes it from bytes.
//
// hiredis parses the protocol; the objects are ours, so that a server that announces a billion
// elements costs what it sends, not what it says. One thread at a time.
#ifndef FERMATA_PLUGINS_REDIS_REPLY_H_
#define FERMATA_PLUGINS_REDIS_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct redisReader;

namespace fermata::redis {

struct Reply {
  enum class Kind { kNil, kInteger, kText, kStatus, kError, kArray };
  Kind kind = Kind::kNil;
  std::int64_t integer = 0;
  std::string text;
  std::vector<std::unique_ptr<Reply>> items;
};

class ReplyReader {
 public:
  ReplyReader();
  // Between two replies: from here on `bytes_max` bytes may come.
  void expect(std::uint64_t bytes_max);
  // Null: more bytes are needed. DataLoss: this is not Redis' protocol. OutOfRange: too large.
  absl::StatusOr<std::unique_ptr<Reply>> feed(std::string_view bytes);
  // Nothing is left of what came: the next reply will be the next command's.
  bool drained() const;

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
  std::uint64_t bytes_max_ = 0;
  std::uint64_t bytes_ = 0;
};

// What Redis wants with an error: another attempt later, or another command.
absl::Status status_of_error(std::string_view command, std::string_view error);

// As JSON: null, a number, text, or an array. Text that is not UTF-8, and every text if `base64`,
// is {"base64": "…"}; an error inside an array is {"error": "…"}.
void append_reply(const Reply& reply, bool base64, std::string* out);

}  // namespace fermata::redis

#endif  // FERMATA_PLUGINS_REDIS_REPLY_H_
