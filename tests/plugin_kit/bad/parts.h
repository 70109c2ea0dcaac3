/* What the golden bad plugins have in common: one good stage, "echo", that naps and answers its
 * input, made of hooks. A bad plugin defines the hook it spoils before it includes this. */
#ifndef TESTS_PLUGIN_KIT_BAD_PARTS_H_
#define TESTS_PLUGIN_KIT_BAD_PARTS_H_

#include <stdlib.h>
#include <string.h>

#include "plugins/abi/fermata_abi.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

static const fermata_host* host;

enum { TOKEN_NAP = 1, TOKEN_WORK = 2 };

struct job {
  fermata_call* call;
  fermata_instance* instance;
  fermata_buf input;
  uint32_t step;
};

struct instance {
  fermata_instance* handle;
};

/* The good answers; each file replaces one of them. */
#ifndef ON_CREATE
#define ON_CREATE(instance) FERMATA_OK
#endif
#ifndef ON_DESTROY
#define ON_DESTROY(instance) free(instance)
#endif
#ifndef ON_START
#define ON_START(job) nap(job)
#endif
#ifndef ON_EVENT
#define ON_EVENT(job, event) answer_after(job, event)
#endif
#ifndef ON_FINISH
#define ON_FINISH(job) free_job(job)
#endif
#ifndef BLOCKING
#define BLOCKING NULL
#endif
#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef CONFIG_SCHEMA
#define CONFIG_SCHEMA "{\"type\":\"object\"}"
#endif
#ifndef SUITS
#define SUITS(host) \
  ((host)->abi_major == FERMATA_ABI_MAJOR && FERMATA_HAS(fermata_host, host, metric_update))
#endif

static inline fermata_status nap(struct job* job) {
  const fermata_status status =
      host->sleep_until(job->call, TOKEN_NAP, host->now_ns(job->instance) + 1000000, 0);
  return status < 0 ? status : FERMATA_PENDING;
}

static inline fermata_status answer(struct job* job) {
  fermata_buf out;
  if (host->buf_alloc(job->call, job->input.len, &out) < 0) return FERMATA_E_NOMEM;
  memcpy(out.ptr, job->input.ptr, job->input.len);
  const fermata_status status = host->emit(job->call, &out, FERMATA_EMIT_FINAL);
  host->buf_release(out.ref);
  return status;
}

static inline fermata_status answer_after(struct job* job, const fermata_event* event) {
  if (event->kind != FERMATA_EV_TIMER && event->kind != FERMATA_EV_BLOCKING &&
      event->kind != FERMATA_EV_CREDIT) {
    return FERMATA_PENDING;
  }
  return event->status < 0 ? event->status : answer(job);
}

static inline void free_job(struct job* job) {
  host->buf_release(job->input.ref);
  free(job);
}

#ifdef HOOKS
HOOKS
#endif

static fermata_status create(fermata_instance* handle, fermata_str config, void** inst) {
  (void)config;
  struct instance* instance = malloc(sizeof *instance);
  if (instance == NULL) return FERMATA_E_NOMEM;
  instance->handle = handle;
  *inst = instance;
  return ON_CREATE(instance);
}
static void destroy(void* inst) { ON_DESTROY((struct instance*)inst); }
static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) {
  struct job* job = malloc(sizeof *job);
  if (job == NULL) return FERMATA_E_NOMEM;
  job->call = call;
  job->instance = ((struct instance*)inst)->handle;
  job->input = request->input;
  job->step = 0;
  host->buf_retain(job->input.ref);
  *state = job;
  return ON_START(job);
}
static fermata_status resume(void* state, const fermata_event* event) {
  return ON_EVENT((struct job*)state, event);
}
static void finish(void* state) { ON_FINISH((struct job*)state); }

static const fermata_stage stage = {
    .struct_size = sizeof(fermata_stage),
    .flags = FLAGS,
    .name = TEXT("echo"),
    .summary = TEXT("the input, after a nap"),
    .config_schema = TEXT(CONFIG_SCHEMA),
    .create = create,
    .destroy = destroy,
    .start = start,
    .resume = resume,
    .finish = finish,
    .blocking = BLOCKING,
};
static const fermata_stage* const stages[] = {&stage};
static const fermata_plugin plugin = {
    .struct_size = sizeof(fermata_plugin),
    .abi_major = FERMATA_ABI_MAJOR,
    .abi_minor = FERMATA_ABI_MINOR,
    .n_stages = 1,
    .id = TEXT("org.example.bad"),
    .version = TEXT("1.0.0"),
    .stages = stages,
#ifdef INIT
    .init = INIT,
#endif
};
FERMATA_NOTE("org.example.bad", "1.0.0", "c", 0);
#ifndef OWN_ENTRY
const fermata_plugin* fermata_plugin_v1(const fermata_host* table) {
  if (!SUITS(table)) return NULL;
  host = table;
  return &plugin;
}
#endif

#endif  // TESTS_PLUGIN_KIT_BAD_PARTS_H_
