#include "services/stages/isolated/frame.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

struct RawHeader {
  uint32_t length;
  uint16_t type;
  uint16_t flags;
  uint64_t call;
  uint32_t sequence;
  uint32_t descriptors;
};
static_assert(sizeof(RawHeader) == kFrameHeaderBytes, "no padding in a frame's header");

absl::Status bad(std::string what) {
  return absl::InvalidArgumentError(absl::StrCat("bad frame: ", what));
}

}  // namespace

bool sent_by_process(FrameType type) {
  switch (type) {
    case FrameType::kHello:
    case FrameType::kCreated:
    case FrameType::kFinish:
    case FrameType::kEmit:
    case FrameType::kProgress:
    case FrameType::kLog:
    case FrameType::kMetrics:
    case FrameType::kSubCall:
    case FrameType::kSubCancel:
    case FrameType::kPong:
      return true;
    case FrameType::kCreate:
    case FrameType::kStart:
    case FrameType::kCancel:
    case FrameType::kCredit:
    case FrameType::kSubResult:
    case FrameType::kSubChunk:
    case FrameType::kPing:
    case FrameType::kClose:
      return false;
  }
  return false;
}

bool may_be_large(FrameType type) {
  switch (type) {
    case FrameType::kHello:  // schemas
    case FrameType::kCreate:
    case FrameType::kCreated:
    case FrameType::kStart:
    case FrameType::kFinish:
    case FrameType::kEmit:
    case FrameType::kLog:
    case FrameType::kProgress:
    case FrameType::kMetrics:
    case FrameType::kSubCall:
    case FrameType::kSubResult:
    case FrameType::kSubChunk:
      return true;
    default:
      return false;
  }
}

void encode_header(const FrameHeader& header, std::string& out) {
  const RawHeader raw = {header.length,   static_cast<uint16_t>(header.type),
                         header.flags,    header.call,
                         header.sequence, header.descriptors};
  out.append(reinterpret_cast<const char*>(&raw), sizeof raw);
}

absl::StatusOr<FrameDecoder::Decoded> FrameDecoder::next(std::string_view bytes) {
  Decoded decoded;
  if (bytes.size() < kFrameHeaderBytes) return decoded;
  RawHeader raw{};
  std::memcpy(&raw, bytes.data(), sizeof raw);
  // Before the payload is waited for: a length that is a lie must not be waited for.
  if (raw.length > kInlineMax) {
    return bad(absl::StrCat("a payload of ", raw.length, " bytes, at most ", kInlineMax));
  }
  if (raw.type == 0 || raw.type > kFrameTypeMax) {
    return bad(absl::StrCat("type ", raw.type, ", expected 1 to ", kFrameTypeMax));
  }
  const FrameType type = static_cast<FrameType>(raw.type);
  if (sent_by_process(type) != (reader_ == FrameReader::kServer)) {
    return bad(absl::StrCat("type ", raw.type, " is never sent in this direction"));
  }
  if ((raw.flags & ~kFrameInMemfd) != 0) return bad(absl::StrCat("flags ", raw.flags));
  const bool in_memfd = (raw.flags & kFrameInMemfd) != 0;
  if (raw.descriptors != (in_memfd ? 1u : 0u)) {
    return bad(absl::StrCat(raw.descriptors, " descriptors, expected ", in_memfd ? 1 : 0));
  }
  if (in_memfd && !may_be_large(type)) {
    return bad(absl::StrCat("type ", raw.type, " has no payload that would need a memfd"));
  }
  if (in_memfd && raw.length != sizeof(uint64_t)) {
    return bad(absl::StrCat("a memfd's size in ", raw.length, " bytes, expected 8"));
  }
  if (raw.sequence != sequence_) {
    return bad(absl::StrCat("sequence ", raw.sequence, ", expected ", sequence_));
  }
  const size_t whole = kFrameHeaderBytes + raw.length;
  if (bytes.size() < whole) return decoded;
  ++sequence_;
  decoded.header = {raw.length, type, raw.flags, raw.call, raw.sequence, raw.descriptors};
  decoded.payload = bytes.substr(kFrameHeaderBytes, raw.length);
  decoded.bytes = whole;
  return decoded;
}

}  // namespace fermata
