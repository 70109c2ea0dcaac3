#include "plugins/abi/fermata_abi.h"
#include "tests/abi/layout.h"

const struct layout_row layout_in_c[] = {
#include "tests/abi/layout_rows.inc"
};
const size_t layout_in_c_count = sizeof(layout_in_c) / sizeof(layout_in_c[0]);
