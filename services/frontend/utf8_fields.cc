#include "services/frontend/utf8_fields.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/unknown_field_set.h"
#include "services/config/utf8.h"

namespace fermata::frontend {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// Deeper than any message of ours is nested; protobuf's own limit is 100.
constexpr int kDepth = 16;

std::string find_in(const std::string& bytes, const Descriptor& type, int depth) {
  UnknownFieldSet fields;
  if (depth == 0 || !fields.ParseFromString(bytes)) return "";
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    const FieldDescriptor* known = type.FindFieldByNumber(field.number());
    if (known == nullptr || field.type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
    if (known->type() == FieldDescriptor::TYPE_STRING && !is_utf8(field.length_delimited())) {
      return known->name();
    }
    if (known->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    const std::string inner = find_in(field.length_delimited(), *known->message_type(), depth - 1);
    if (!inner.empty()) return absl::StrCat(known->name(), ".", inner);
  }
  return "";
}

}  // namespace

std::string find_bad_text(const grpc::ByteBuffer& bytes, const Descriptor& type) {
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok()) return "";
  std::string flat;
  flat.reserve(bytes.Length());
  for (const grpc::Slice& slice : slices) {
    flat.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return find_in(flat, type, kDepth);
}

}  // namespace fermata::frontend
