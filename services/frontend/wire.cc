#include "services/frontend/wire.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "services/engine/errors.h"
#include "services/frontend/utf8_fields.h"

namespace fermata::frontend {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

bool parse(const grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  grpc::Slice slice;
  if (bytes.TrySingleSlice(&slice).ok()) {
    return message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
  }
  grpc::ByteBuffer again = bytes;  // the reader wants a mutable one; this shares the slices
  grpc::ProtoBufferReader reader(&again);
  return reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
}

}  // namespace

absl::Status decode(const grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  if (parse(bytes, message)) return absl::OkStatus();
  const std::string& type = message.GetDescriptor()->full_name();
  const std::string field = find_bad_text(bytes, *message.GetDescriptor());
  ErrorDetail detail;
  detail.reason = "MALFORMED_REQUEST";
  detail.metadata["type"] = type;
  if (field.empty()) {
    return with_detail(absl::InvalidArgumentError(absl::StrCat("the request is not a ", type)),
                       detail);
  }
  detail.metadata["field"] = field;
  detail.fields.push_back({field, "expected UTF-8 text, got other bytes"});
  return with_detail(
      absl::InvalidArgumentError(absl::StrCat(field, ": expected UTF-8 text, got other bytes")),
      detail);
}

grpc::ByteBuffer encode(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  grpc::Slice slice(size);
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer detail::join(const google::protobuf::MessageLite& message, int field,
                              std::string_view copy, const grpc::Slice* shared) {
  const size_t body = shared != nullptr ? shared->size() : copy.size();
  const size_t size = message.ByteSizeLong();
  const uint32_t tag = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  const size_t head = body == 0 ? 0
                                : CodedOutputStream::VarintSize32(tag) +
                                      CodedOutputStream::VarintSize32(static_cast<uint32_t>(body));
  grpc::Slice first(size + head + copy.size());
  uint8_t* at = const_cast<uint8_t*>(first.begin());
  at = message.SerializeWithCachedSizesToArray(at);
  if (body != 0) {
    at = CodedOutputStream::WriteVarint32ToArray(tag, at);
    at = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(body), at);
    CodedOutputStream::WriteRawToArray(copy.data(), static_cast<int>(copy.size()), at);
  }
  if (shared == nullptr) return grpc::ByteBuffer(&first, 1);
  const grpc::Slice both[] = {first, *shared};
  return grpc::ByteBuffer(both, 2);
}

}  // namespace fermata::frontend
