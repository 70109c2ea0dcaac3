/* One plugin in many versions: VERSION and what is wrong with it (FAULT) come from the build.
 *
 *   version   answers with its version: before a nap of as many ms as its input says, and after it.
 *             If these ever differ, or the code that naps is not the code that wakes, it fails.
 *             From 1.1.0 on it naps a hundredth of that.
 *   only_new  exists from 1.1.0 on. */
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/abi/fermata_abi.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}
#ifndef ID
#define ID "org.example.versioned"
#endif

/* FAULT */
#define NONE 0
#define CREATE_FAILS 1
#define CREATE_CRASHES 2
#define CREATE_HANGS 3
#define CREATE_EXITS 4
#define CONSTRUCTOR_EXITS 5
#define PROBE_FAILS 6
#define CALL_FAILS 7
#define NEVER_LETS_GO 8
#define CALL_REFUSES 9
#define CREATE_NEEDS_A_WORD 10
#define CREATE_FORKS 11

static const fermata_host* host;
static int inits;   /* of this image */
static int living;  /* instances */
static int entered; /* so that a switch in the middle of a call would show */
static sem_t begun; /* NEVER_LETS_GO: an offload that has not begun can be taken back */

__attribute__((constructor)) static void on_load(void) {
  if (FAULT == CONSTRUCTOR_EXITS) exit(1);
}

struct job {
  fermata_call* call;
  char version[32];
};

static fermata_status init(void) {
  ++inits;
  return FERMATA_OK;
}

static fermata_status create(fermata_instance* instance, fermata_str config, void** inst) {
  (void)config;
  if (FAULT == CREATE_FAILS) return FERMATA_E_UNAVAILABLE;
  if (FAULT == CREATE_NEEDS_A_WORD && getenv("FERMATA_TEST_WORD") == NULL) {
    return FERMATA_E_UNAVAILABLE;
  }
  if (FAULT == CREATE_CRASHES) raise(SIGSEGV);
  if (FAULT == CREATE_HANGS) pause();
  if (FAULT == CREATE_FORKS && fork() == 0) pause();
  if (FAULT == CREATE_EXITS) exit(3);
  ++living;
  *inst = instance;
  if (FAULT == NEVER_LETS_GO) {
    const fermata_status status = host->offload(host->instance_call(instance), 1, 0, 0);
    if (status == FERMATA_OK) sem_wait(&begun);
    return status;
  }
  return FERMATA_OK;
}
static void instance_event(void* inst, const fermata_event* event) { (void)inst, (void)event; }
static fermata_status instance_blocking(void* inst, uint64_t token) {
  (void)inst, (void)token;
  sem_post(&begun);
  for (;;) pause();
}
static void destroy(void* inst) {
  (void)inst;
  --living;
}

static fermata_status answer(struct job* job) {
  char text[128];
  if (strcmp(job->version, VERSION) != 0) return FERMATA_E_INTERNAL;
  const int n = snprintf(text, sizeof text, "\"%s\"", VERSION);
  fermata_buf out;
  if (host->buf_alloc(job->call, (size_t)n, &out) != FERMATA_OK) return FERMATA_E_NOMEM;
  memcpy(out.ptr, text, (size_t)n);
  const fermata_status status = host->emit(job->call, &out, FERMATA_EMIT_FINAL);
  host->buf_release(out.ref);
  --entered;
  return status;
}

static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) {
  if ((request->flags & FERMATA_RQ_PROBE) != 0) {
    return FAULT == PROBE_FAILS ? FERMATA_E_INTERNAL : FERMATA_OK;
  }
  if (FAULT == CALL_FAILS) return FERMATA_E_UNAVAILABLE;
  if (FAULT == CALL_REFUSES) return FERMATA_E_INVALID;
  struct job* job = malloc(sizeof *job);
  if (job == NULL) return FERMATA_E_NOMEM;
  job->call = call;
  strcpy(job->version, VERSION);
  *state = job;
  ++entered;
  const long nap_ms =
      request->input.len > 0 ? strtol((const char*)request->input.ptr, NULL, 10) : 0;
  if (nap_ms <= 0) return answer(job);
  const uint64_t nap_ns = (uint64_t)nap_ms * (ONLY_NEW ? 10000u : 1000000u);
  const uint64_t until = host->now_ns(inst) + nap_ns;
  const fermata_status status = host->sleep_until(call, 1, until, 0);
  return status < 0 ? status : FERMATA_PENDING;
}

static fermata_status resume(void* state, const fermata_event* event) {
  struct job* job = state;
  if (event->kind != FERMATA_EV_TIMER) return FERMATA_PENDING;
  if (event->status < 0) {
    --entered;
    return event->status;
  }
  return answer(job);
}

static void finish(void* state) { free(state); }

/* Calls its own plugin's stage, by the name that leads to whichever is active. */
static fermata_status start_nested(void* inst, fermata_call* call, const fermata_request* request,
                                   void** state) {
  static const fermata_str name = TEXT("versioned/version");
  (void)inst;
  struct job* job = malloc(sizeof *job);
  if (job == NULL) return FERMATA_E_NOMEM;
  job->call = call;
  *state = job;
  const fermata_status status = host->call_stage(call, 7, name, &request->input, 0, 0);
  return status < 0 ? status : FERMATA_PENDING;
}
static fermata_status resume_nested(void* state, const fermata_event* event) {
  struct job* job = state;
  if (event->kind != FERMATA_EV_STAGE) return FERMATA_PENDING;
  if (event->status < 0) return event->status;
  return host->emit(job->call, &event->buf, FERMATA_EMIT_FINAL);
}

static const fermata_stage version_stage = {
    .struct_size = sizeof(fermata_stage),
    .flags = FERMATA_STAGE_PROBE,
    .name = TEXT("version"),
    .create = create,
    .destroy = destroy,
    .start = start,
    .resume = resume,
    .finish = finish,
    .instance_event = instance_event,
    .instance_blocking = instance_blocking,
};
static const fermata_stage nested_stage = {
    .struct_size = sizeof(fermata_stage),
    .name = TEXT("nested"),
    .create = create,
    .destroy = destroy,
    .start = start_nested,
    .resume = resume_nested,
    .finish = finish,
    .instance_event = instance_event,
    .instance_blocking = instance_blocking,
};
static const fermata_stage only_new_stage = {
    .struct_size = sizeof(fermata_stage),
    .name = TEXT("only_new"),
    .create = create,
    .destroy = destroy,
    .start = start,
    .resume = resume,
    .finish = finish,
    .instance_event = instance_event,
    .instance_blocking = instance_blocking,
};
static const fermata_stage* const stages[] = {&version_stage, &nested_stage, &only_new_stage};

static const fermata_plugin plugin = {
    .struct_size = sizeof(fermata_plugin),
    .abi_major = FERMATA_ABI_MAJOR,
    .abi_minor = FERMATA_ABI_MINOR,
    .n_stages = ONLY_NEW ? 3 : 2,
    .id = TEXT(ID),
    .version = TEXT(VERSION),
    .stages = stages,
    .init = init,
};

FERMATA_NOTE(ID, VERSION, "c", 0);
const fermata_plugin* fermata_plugin_v1(const fermata_host* given) {
  host = given;
  return &plugin;
}
