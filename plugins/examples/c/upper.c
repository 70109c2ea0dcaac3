/* The example stage in plain C: sleeps a little, works on another thread, answers its input (a JSON
 * string) in upper case. No SDK; this is the whole of what a plugin has to do. */
#include <stdlib.h>
#include <string.h>

#include "fermata_abi.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

static const fermata_host* host;

enum { TOKEN_NAP = 1, TOKEN_WORK = 2 };

/* One configured stage on one loop: create() makes it, destroy() frees it. */
struct upper {
  fermata_instance* handle;
};

/* The "coroutine frame", by hand: what has to survive from start() to finish(). */
struct job {
  fermata_call* call;
  fermata_buf input;  /* retained */
  fermata_buf output; /* ours until finish() */
};

static fermata_status create(fermata_instance* handle, fermata_str config, void** inst) {
  (void)config;
  struct upper* self = malloc(sizeof *self);
  if (self == NULL) return FERMATA_E_NOMEM;
  self->handle = handle;
  *inst = self;
  return FERMATA_OK;
}

static void destroy(void* inst) { free(inst); }

static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) {
  struct upper* self = inst;
  struct job* job = calloc(1, sizeof *job);
  if (job == NULL) return FERMATA_E_NOMEM;
  job->call = call;
  *state = job; /* from here on finish() is called, whatever we return */
  if (host->buf_alloc(call, request->input.len, &job->output) < 0) return FERMATA_E_NOMEM;
  job->input = request->input;
  if (job->input.ref == NULL) return FERMATA_E_INTERNAL;
  host->buf_retain(job->input.ref); /* R5: kept past start() */
  const uint64_t due = host->now_ns(self->handle) + 3 * 1000 * 1000;
  const fermata_status status = host->sleep_until(call, TOKEN_NAP, due, 0);
  return status < 0 ? status : FERMATA_PENDING;
}

/* [worker]: the loop goes on meanwhile. Letters of escapes such as \n stay as they are. */
static fermata_status blocking(void* state, uint64_t token) {
  struct job* job = state;
  (void)token;
  int escaped = 0;
  for (size_t i = 0; i < job->input.len; i++) {
    if (i % 4096 == 0 && host->is_cancelled(job->call)) return FERMATA_E_CANCELLED;
    const uint8_t c = job->input.ptr[i];
    job->output.ptr[i] = !escaped && c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
    escaped = !escaped && c == '\\';
  }
  return FERMATA_OK;
}

static fermata_status resume(void* state, const fermata_event* event) {
  struct job* job = state;
  switch (event->kind) {
    case FERMATA_EV_TIMER: {
      if (event->status < 0) return event->status; /* cancelled */
      const fermata_status status = host->offload(job->call, TOKEN_WORK, 0, 0);
      return status < 0 ? status : FERMATA_PENDING;
    }
    case FERMATA_EV_BLOCKING:
      if (event->status < 0) return event->status;
      return host->emit(job->call, &job->output, FERMATA_EMIT_FINAL); /* R2: done by returning */
    default:
      return FERMATA_PENDING; /* a later minor's */
  }
}

static void finish(void* state) {
  struct job* job = state;
  if (job->input.ref != NULL) host->buf_release(job->input.ref);
  if (job->output.ref != NULL) host->buf_release(job->output.ref);
  free(job);
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
    .n_stages = 1,
    .id = TEXT("org.example.upper_c"),
    .version = TEXT("0.1.0"),
    .stages = stages,
};

FERMATA_NOTE("org.example.upper_c", "0.1.0", "c", 0);

const fermata_plugin* fermata_plugin_v1(const fermata_host* table) {
  if (table->abi_major != FERMATA_ABI_MAJOR || !FERMATA_HAS(fermata_host, table, metric_update)) {
    return NULL; /* another host: it would be misread */
  }
  host = table;
  return &plugin;
}
