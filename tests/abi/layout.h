/* The rows of layout_rows.inc with what this compiler makes of them, from a C11 and a C++20 file.
 */
#ifndef TESTS_ABI_LAYOUT_H_
#define TESTS_ABI_LAYOUT_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct layout_row {
  const char* what;
  size_t frozen;
  size_t actual;
};
extern const struct layout_row layout_in_c[];
extern const size_t layout_in_c_count;
extern const struct layout_row layout_in_cpp[];
extern const size_t layout_in_cpp_count;

#ifdef __cplusplus
}
#endif

#define LAYOUT_SIZE(type, bytes) {"size of " #type, bytes, sizeof(type)},
#define LAYOUT_FIELD(type, field, at) {#type "." #field, at, offsetof(type, field)},

#endif  // TESTS_ABI_LAYOUT_H_
