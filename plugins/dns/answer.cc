#include "plugins/dns/answer.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <optional>
#include <string_view>

#include "absl/strings/escaping.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::dns {
namespace {

constexpr std::size_t kHeaderBytes = 12;

// Reads forward; once something was missing it gives zeros and says so.
class Reader {
 public:
  Reader(std::span<const std::uint8_t> all, std::size_t at, std::size_t end)
      : all_(all), at_(at), end_(end), ok_(end <= all.size()) {}

  bool ok() const { return ok_; }
  std::size_t at() const { return at_; }
  std::uint32_t number(int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) {
      if (!ok_ || at_ >= end_) return fail();
      value = value << 8 | all_[at_++];
    }
    return value;
  }
  std::string_view bytes(std::size_t count) {
    if (!ok_ || count > end_ - at_) {
      fail();
      return "";
    }
    at_ += count;
    return {reinterpret_cast<const char*>(all_.data()) + at_ - count, count};
  }
  // Names may point back at any earlier part of the answer.
  std::string name() {
    char* text = nullptr;
    long length = 0;
    if (!ok_ || ares_expand_name(all_.data() + at_, all_.data(), static_cast<int>(all_.size()),
                                 &text, &length) != ARES_SUCCESS) {
      fail();
      return "";
    }
    std::string out(text);
    ares_free_string(text);
    at_ += static_cast<std::size_t>(length);
    if (at_ > end_) fail();
    return out;
  }

 private:
  std::uint32_t fail() {
    ok_ = false;
    return 0;
  }
  std::span<const std::uint8_t> all_;
  std::size_t at_;
  std::size_t end_;
  bool ok_;
};

std::string address(Reader& data, int family, std::size_t size) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const std::string_view bytes = data.bytes(size);
  if (bytes.empty()) return "";
  ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

// A TXT record is strings of up to 255 bytes, which programs join.
std::string joined_text(Reader& data, std::size_t end) {
  std::string out;
  while (data.ok() && data.at() < end) out += data.bytes(data.number(1));
  if (is_utf8(out)) return json_quote(out);
  return str_cat("{\"base64\":\"", absl::Base64Escape(out), "\"}");
}

std::string host_member(Reader& data) { return str_cat("\"host\":", json_quote(data.name())); }

// The members of one record, without its TTL; nullopt for a type that nobody can ask for.
std::optional<std::string> members(RecordType type, Reader& data, std::size_t end) {
  switch (type) {
    case RecordType::kA:
      return str_cat("\"value\":", json_quote(address(data, AF_INET, 4)));
    case RecordType::kAaaa:
      return str_cat("\"value\":", json_quote(address(data, AF_INET6, 16)));
    case RecordType::kCname:
    case RecordType::kNs:
    case RecordType::kPtr:
      return str_cat("\"value\":", json_quote(data.name()));
    case RecordType::kTxt:
      return str_cat("\"value\":", joined_text(data, end));
    case RecordType::kMx: {
      const std::uint32_t priority = data.number(2);
      return str_cat(host_member(data), ",\"priority\":", priority);
    }
    case RecordType::kSrv: {
      const std::uint32_t priority = data.number(2);
      const std::uint32_t weight = data.number(2);
      const std::uint32_t port = data.number(2);
      return str_cat(host_member(data), ",\"port\":", port, ",\"priority\":", priority,
                     ",\"weight\":", weight);
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<Answer> parse_answer(std::span<const std::uint8_t> bytes, RecordType type) {
  const absl::Status broken = absl::UnavailableError("the server's answer is not a DNS message");
  Reader reader(bytes, 0, bytes.size());
  if (reader.bytes(kHeaderBytes).empty()) return broken;
  Reader header(bytes, 4, bytes.size());
  const std::uint32_t questions = header.number(2);
  const std::uint32_t answers = header.number(2);
  for (std::uint32_t i = 0; i < questions && reader.ok(); ++i) {
    (void)reader.name();
    (void)reader.number(4);  // type and class
  }
  Answer out;
  out.records = "[";
  for (std::uint32_t i = 0; i < answers && reader.ok(); ++i) {
    (void)reader.name();
    const auto found = static_cast<RecordType>(reader.number(2));
    (void)reader.number(2);  // class
    const std::uint32_t ttl = reader.number(4);
    const std::uint32_t size = reader.number(2);
    const std::size_t end = reader.at() + size;
    Reader data(bytes, reader.at(), end);
    (void)reader.bytes(size);
    if (!reader.ok()) return broken;
    if (found == RecordType::kCname && type != found) out.canonical = Reader(data).name();
    if (found != type) continue;
    const std::optional<std::string> text = members(type, data, end);
    if (!text.has_value() || !data.ok()) return broken;
    str_append(&out.records, out.count++ == 0 ? "{" : ",{", *text, ",\"ttl\":", ttl, "}");
  }
  if (!reader.ok()) return broken;
  out.records += ']';
  return out;
}

}  // namespace fermata::dns
