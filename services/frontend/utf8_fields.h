// Why a message did not decode: the slow path of wire.h, taken for hostile or broken clients only.
//
// protobuf refuses a message with text that is not UTF-8 and does not say which field it was. This
// walks the bytes again beside the message's descriptor and finds it. Stateless; any thread.
#pragma once

#include <string>

#include "google/protobuf/descriptor.h"
#include "grpcpp/support/byte_buffer.h"

namespace fermata::frontend {

// The path of the first string field that is not UTF-8, as in "job.labels.value"; empty when there
// is none, because the bytes are no message at all.
std::string find_bad_text(const grpc::ByteBuffer& bytes, const google::protobuf::Descriptor& type);

}  // namespace fermata::frontend
