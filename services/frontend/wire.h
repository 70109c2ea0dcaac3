// Bytes to messages and back, without copies that can be avoided.
//
// The service registers raw methods (grpc::ByteBuffer in and out) and decodes itself, for three
// reasons: a request that does not decode gets an answer that names the field, where gRPC would say
// INTERNAL and nothing else; the message lives on the call's own arena; and a large result leaves
// in the slice it is stored in, so the loop's thread never copies it.
//
// Stateless; any thread.
#pragma once

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/byte_buffer.h"

namespace fermata::frontend {

// An encoded message on its way out. grpc::ByteBuffer has no move: each hand-over would copy it.
class Encoded {
 public:
  Encoded(grpc::ByteBuffer&& bytes) { bytes_.Swap(&bytes); }  // NOLINT: it is one
  Encoded(Encoded&& other) noexcept { bytes_.Swap(&other.bytes_); }
  Encoded& operator=(Encoded&& other) noexcept {
    bytes_.Swap(&other.bytes_);
    return *this;
  }
  void move_to(grpc::ByteBuffer* out) { out->Swap(&bytes_); }

 private:
  grpc::ByteBuffer bytes_;
};

// Parses `bytes` into `message`. InvalidArgument names the offending field when it can be told.
absl::Status decode(const grpc::ByteBuffer& bytes, google::protobuf::Message& message);

grpc::ByteBuffer encode(const google::protobuf::MessageLite& message);

// `message` with its bytes field `field` set to what `owner` keeps alive at `view`, not copied.
// The field must not be set in `message`; protobuf lets fields come in any order.
template <class Owner>
grpc::ByteBuffer encode_with_bytes(const google::protobuf::MessageLite& message, int field,
                                   Owner owner, std::string_view view);

namespace detail {
// Below this a copy is cheaper than one more slice.
inline constexpr size_t kShareAbove = 2048;
grpc::ByteBuffer join(const google::protobuf::MessageLite& message, int field,
                      std::string_view copy, const grpc::Slice* shared);
}  // namespace detail

template <class Owner>
grpc::ByteBuffer encode_with_bytes(const google::protobuf::MessageLite& message, int field,
                                   Owner owner, std::string_view view) {
  if (view.size() <= detail::kShareAbove) return detail::join(message, field, view, nullptr);
  auto* kept = new Owner(std::move(owner));
  const grpc::Slice shared(
      const_cast<char*>(view.data()), view.size(),
      [](void* user) { delete static_cast<Owner*>(user); }, kept);
  return detail::join(message, field, {}, &shared);
}

}  // namespace fermata::frontend
