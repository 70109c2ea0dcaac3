#include "services/stages/buffer.h"

#include "services/stages/buffer_ref.h"

namespace fermata {

Buffer::Buffer(std::string&& bytes)
    : raw_(bytes.empty() ? fermata_buf{} : take_string(std::move(bytes))) {}

Buffer Buffer::copy_of(std::string_view bytes) { return Buffer(std::string(bytes)); }

Buffer Buffer::retain(const fermata_buf& raw) {
  if (raw.ref == nullptr) {
    return copy_of({reinterpret_cast<const char*>(raw.ptr), raw.len});
  }
  retain_ref(raw.ref);
  return Buffer(raw);
}

Buffer::Buffer(const Buffer& other) : raw_(other.raw_) {
  if (raw_.ref != nullptr) retain_ref(raw_.ref);
}

void Buffer::release() noexcept { release_ref(raw_.ref); }

}  // namespace fermata
