#include "plugins/redis/reply.h"

#include <hiredis/hiredis.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "services/async/check.h"
#include "services/config/bytes.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::redis {
namespace {

// hiredis gives the parts of an array one after the other, each with the array as its parent.
Reply* place(const redisReadTask* task, Reply::Kind kind) {
  auto reply = std::make_unique<Reply>();
  reply->kind = kind;
  Reply* made = reply.get();
  if (task->parent == nullptr) return reply.release();
  auto* parent = static_cast<Reply*>(task->parent->obj);
  parent->items.push_back(std::move(reply));
  return made;
}

void* make_text(const redisReadTask* task, char* text, size_t size) {
  Reply* reply = place(task, task->type == REDIS_REPLY_ERROR    ? Reply::Kind::kError
                             : task->type == REDIS_REPLY_STATUS ? Reply::Kind::kStatus
                                                                : Reply::Kind::kText);
  reply->text.assign(text, size);
  return reply;
}

template <class Count>
void* make_array(const redisReadTask* task, Count) {
  return place(task, Reply::Kind::kArray);
}

void* make_integer(const redisReadTask* task, long long value) {
  Reply* reply = place(task, Reply::Kind::kInteger);
  reply->integer = value;
  return reply;
}

void* make_nil(const redisReadTask* task) { return place(task, Reply::Kind::kNil); }

void free_reply(void* reply) { delete static_cast<Reply*>(reply); }

redisReplyObjectFunctions functions() {
  redisReplyObjectFunctions out = {};
  out.createString = &make_text;
  out.createArray = &make_array;
  out.createInteger = &make_integer;
  out.createNil = &make_nil;
  out.freeObject = &free_reply;
  return out;
}

}  // namespace

void ReplyReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader() {
  static redisReplyObjectFunctions own = functions();
  reader_.reset(redisReaderCreateWithFunctions(&own));
  FERMATA_CHECK(reader_ != nullptr, "no memory for a reader");
}

void ReplyReader::expect(std::uint64_t bytes_max) {
  bytes_max_ = bytes_max;
  bytes_ = 0;
}

absl::StatusOr<std::unique_ptr<Reply>> ReplyReader::feed(std::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > bytes_max_) {
    return absl::OutOfRangeError(
        str_cat("the reply is larger than ", format_bytes(bytes_max_), " (max_reply)"));
  }
  void* made = nullptr;
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK ||
      redisReaderGetReply(reader_.get(), &made) != REDIS_OK) {
    return absl::DataLossError(str_cat("what answers is not Redis: ", reader_->errstr));
  }
  return std::unique_ptr<Reply>(static_cast<Reply*>(made));
}

bool ReplyReader::drained() const { return reader_->pos == reader_->len; }

absl::Status status_of_error(std::string_view command, std::string_view error) {
  // Redis repeats arguments here, which may be secret.
  const std::string_view shown = error.substr(0, error.find(", with args beginning with"));
  const std::string message = str_cat("redis ", command, ": ", utf8_preview(shown, 300));
  const std::string_view code = error.substr(0, error.find(' '));
  for (std::string_view later :
       {"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "NOREPLICAS"}) {
    if (code == later) return absl::UnavailableError(message);
  }
  if (code == "OOM") return absl::ResourceExhaustedError(message);
  for (std::string_view denied : {"NOAUTH", "WRONGPASS", "NOPERM"}) {
    if (code == denied) return absl::PermissionDeniedError(message);
  }
  if (code == "MOVED" || code == "ASK") {
    return absl::FailedPreconditionError(
        str_cat(message,
                "; this stage does not follow a cluster's redirects: give the address of "
                "a proxy, or of a server that has all keys"));
  }
  return absl::InvalidArgumentError(message);
}

void append_reply(const Reply& reply, bool base64, std::string* out) {
  switch (reply.kind) {
    case Reply::Kind::kNil:
      *out += "null";
      return;
    case Reply::Kind::kInteger:
      str_append(out, reply.integer);
      return;
    case Reply::Kind::kError:
      str_append(out, "{\"error\":", json_quote(utf8_preview(reply.text, reply.text.size())), "}");
      return;
    case Reply::Kind::kText:
    case Reply::Kind::kStatus:
      if ((base64 && reply.kind == Reply::Kind::kText) || !is_utf8(reply.text)) {
        str_append(out, "{\"base64\":\"", absl::Base64Escape(reply.text), "\"}");
      } else {
        *out += json_quote(reply.text);
      }
      return;
    case Reply::Kind::kArray:
      break;
  }
  *out += '[';
  for (const std::unique_ptr<Reply>& item : reply.items) {
    if (out->back() != '[') *out += ',';
    append_reply(*item, base64, out);
  }
  *out += ']';
}

}  // namespace fermata::redis
