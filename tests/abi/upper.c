/* The smallest plugin worth reading, in plain C: a stage that sleeps a little and answers with its
 * input in upper case. It is the example for authors without an SDK, and it is compiled as strict
 * C11. */
#include <ctype.h>
#include <stdlib.h>

#include "plugins/abi/fermata_abi.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

static const fermata_host* host;

enum { TOKEN_NAP = 1 };

/* The "coroutine frame", by hand: what has to survive from start() to resume(). */
struct job {
  fermata_call* call;
  fermata_buf input;
};

static fermata_instance* instance;

static fermata_status create(fermata_instance* handle, fermata_str config, void** inst) {
  (void)config;
  instance = handle;
  *inst = NULL;
  return FERMATA_OK;
}

static void destroy(void* inst) { (void)inst; }

static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) {
  (void)inst;
  struct job* job = malloc(sizeof *job);
  if (job == NULL) return FERMATA_E_NOMEM;
  job->call = call;
  job->input = request->input;
  if (job->input.ref != NULL) host->buf_retain(job->input.ref); /* R5: kept past start() */
  *state = job;
  const fermata_status status =
      host->sleep_until(call, TOKEN_NAP, host->now_ns(instance) + 3000000, 0);
  return status < 0 ? status : FERMATA_PENDING;
}

static fermata_status resume(void* state, const fermata_event* event) {
  struct job* job = state;
  if (event->kind != FERMATA_EV_TIMER) return FERMATA_PENDING; /* unknown kinds are ignored */
  if (event->status < 0) return event->status;                 /* cancelled */
  fermata_buf output;
  if (host->buf_alloc(job->call, job->input.len, &output) < 0) return FERMATA_E_NOMEM;
  for (size_t i = 0; i < job->input.len; i++) output.ptr[i] = (uint8_t)toupper(job->input.ptr[i]);
  const fermata_status status = host->emit(job->call, &output, FERMATA_EMIT_FINAL);
  host->buf_release(output.ref);
  return status; /* R2: finished by returning */
}

static void finish(void* state) {
  struct job* job = state;
  if (job->input.ref != NULL) host->buf_release(job->input.ref);
  free(job);
}

static const fermata_stage upper = {
    .struct_size = sizeof(fermata_stage),
    .flags = FERMATA_STAGE_IDEMPOTENT,
    .name = TEXT("upper"),
    .summary = TEXT("the input in upper case, after a nap"),
    .create = create,
    .destroy = destroy,
    .start = start,
    .resume = resume,
    .finish = finish,
};
static const fermata_stage* const stages[] = {&upper};
static const fermata_plugin plugin = {
    .struct_size = sizeof(fermata_plugin),
    .abi_major = FERMATA_ABI_MAJOR,
    .abi_minor = FERMATA_ABI_MINOR,
    .n_stages = 1,
    .id = TEXT("org.example.plain"),
    .version = TEXT("0.1.0"),
    .stages = stages,
};

FERMATA_NOTE("org.example.plain", "0.1.0", "c", 0);

const fermata_plugin* fermata_plugin_v1(const fermata_host* table) {
  if (table->abi_major != FERMATA_ABI_MAJOR || !FERMATA_HAS(fermata_host, table, metric_update)) {
    return NULL; /* another host: it would be misread */
  }
  host = table;
  return &plugin;
}
