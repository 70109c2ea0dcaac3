#include "plugins/abi/fermata_abi.h"
#include "tests/abi/layout.h"

const struct layout_row layout_in_cpp[] = {
#include "tests/abi/layout_rows.inc"
};
const size_t layout_in_cpp_count = sizeof(layout_in_cpp) / sizeof(layout_in_cpp[0]);
