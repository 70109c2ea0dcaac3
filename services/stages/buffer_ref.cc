#include "services/stages/buffer_ref.h"

#include <cstdlib>
#include <new>
#include <utility>

namespace fermata {
namespace {

struct StringRef : fermata_bufref {
  explicit StringRef(std::string&& text) : fermata_bufref(true), bytes(std::move(text)) {}
  std::string bytes;
};

}  // namespace

bool allocate_bytes(size_t size, fermata_buf& out) {
  const bool fits = size <= SIZE_MAX - sizeof(fermata_bufref);
  void* memory = fits ? std::malloc(sizeof(fermata_bufref) + size) : nullptr;
  if (memory == nullptr) {
    out = {};
    return false;
  }
  auto* ref = new (memory) fermata_bufref(false);
  out.ptr = reinterpret_cast<uint8_t*>(ref + 1);
  out.len = size;
  out.ref = ref;
  return true;
}

fermata_buf take_string(std::string&& bytes) {
  auto* ref = new StringRef(std::move(bytes));
  return {reinterpret_cast<uint8_t*>(ref->bytes.data()), ref->bytes.size(), ref};
}

void destroy_ref(fermata_bufref* ref) {
  if (ref->string) {
    delete static_cast<StringRef*>(ref);
    return;
  }
  ref->~fermata_bufref();
  std::free(ref);
}

}  // namespace fermata
