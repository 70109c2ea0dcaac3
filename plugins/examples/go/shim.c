/* The plugin's face: the note, the descriptor and the entry. The stage itself is upper.go. */
#include "shim.h"

#include <string.h>

#include "_cgo_export.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

static const fermata_host* host;

fermata_status shim_nap(fermata_instance* instance, fermata_call* call, uint64_t token,
                        uint64_t nap_ns) {
  return host->sleep_until(call, token, host->now_ns(instance) + nap_ns, 0);
}

fermata_status shim_offload(fermata_call* call, uint64_t token) {
  return host->offload(call, token, 0, 0);
}

fermata_status shim_answer(fermata_call* call, const void* bytes, size_t size) {
  fermata_buf out;
  if (host->buf_alloc(call, size, &out) < 0) return FERMATA_E_NOMEM;
  if (size > 0) memcpy(out.ptr, bytes, size);
  const fermata_status status = host->emit(call, &out, FERMATA_EMIT_FINAL);
  host->buf_release(out.ref);
  return status;
}

/* Go's types have no const and no noexcept; these do. */
static fermata_status create(fermata_instance* handle, fermata_str config, void** inst) {
  (void)config;
  *inst = handle;
  return FERMATA_OK;
}
static void destroy(void* inst) { (void)inst; }
static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) {
  return upperStart(inst, call, request->input.ptr, request->input.len, state);
}
static fermata_status resume(void* state, const fermata_event* event) {
  return upperResume((uintptr_t)state, event->kind, event->status);
}
static void finish(void* state) { upperFinish((uintptr_t)state); }
static fermata_status blocking(void* state, uint64_t token) {
  (void)token;
  return upperWork((uintptr_t)state);
}

static const fermata_stage upper = {
    .struct_size = sizeof(fermata_stage),
    .flags = FERMATA_STAGE_IDEMPOTENT,
    .name = TEXT("upper"),
    .summary = TEXT("a text in upper case, after a nap"),
    .config_schema = TEXT("{\"type\":\"object\",\"additionalProperties\":false}"),
    .input_schema = TEXT("{\"type\":\"string\"}"),
    .create = create,
    .destroy = destroy,
    .start = start,
    .resume = resume,
    .finish = finish,
    .blocking = blocking,
};
static const fermata_stage* const stages[] = {&upper};
static const fermata_plugin plugin = {
    .struct_size = sizeof(fermata_plugin),
    .abi_major = FERMATA_ABI_MAJOR,
    .abi_minor = FERMATA_ABI_MINOR,
    .flags = FERMATA_PLUGIN_ISOLATE,
    .n_stages = 1,
    .id = TEXT("org.example.upper_go"),
    .version = TEXT("0.1.0"),
    .stages = stages,
};

/* Go's runtime brings threads and signal handlers and never leaves: a process of its own. */
FERMATA_NOTE("org.example.upper_go", "0.1.0", "go", FERMATA_PLUGIN_ISOLATE);

FERMATA_EXPORT const fermata_plugin* fermata_plugin_v1(const fermata_host* table) {
  if (table->abi_major != FERMATA_ABI_MAJOR || !FERMATA_HAS(fermata_host, table, metric_update)) {
    return NULL; /* another host: it would be misread */
  }
  host = table;
  return &plugin;
}
