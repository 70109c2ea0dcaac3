/* What Go needs from C: it cannot call through function pointers, nor make a static descriptor. */
#ifndef PLUGINS_EXAMPLES_GO_SHIM_H_
#define PLUGINS_EXAMPLES_GO_SHIM_H_

#include "fermata_abi.h"

fermata_status shim_nap(fermata_instance* instance, fermata_call* call, uint64_t token,
                        uint64_t nap_ns);
fermata_status shim_offload(fermata_call* call, uint64_t token);
/* Copies the bytes; they may be Go's. */
fermata_status shim_answer(fermata_call* call, const void* bytes, size_t size);

#endif /* PLUGINS_EXAMPLES_GO_SHIM_H_ */
