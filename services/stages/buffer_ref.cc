#include "services/stages/buffer_ref.h"

#include <cstdlib>
#include <new>
#include <utility>

namespace fermata {
namespace {

struct StringRef : fermata_bufref {
  explicit StringRef(std::string text) : fermata_bufref(true), bytes(std::move(text)) {}
  std::string bytes;
};

}  // namespace

fermata_buf allocate_bytes(size_t size) {
  if (size > SIZE_MAX - sizeof(fermata_bufref)) return {};
  void* memory = std::malloc(sizeof(fermata_bufref) + size);
  if (memory == nullptr) return {};
  auto* ref = new (memory) fermata_bufref(false);
  return {reinterpret_cast<uint8_t*>(ref + 1), size, ref};
}

fermata_buf take_string(std::string bytes) {
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
