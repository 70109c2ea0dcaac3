/* Uses every slot of ABI 1.0 once. Compiled once, as C11 and as C++20, and checked in: today's
 * server must run those bytes. Its source is kept to be read, not to be built again; see README.md.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/abi/fermata_abi.h"

#ifndef ID
#define ID "org.example.frozen_c"
#define SELF "frozen_c/echo"
#endif
#define TEXT(literal) {literal, sizeof(literal) - 1}

static const fermata_host* host;

enum { NAP = 1, WORK, READABLE, SUB, CREDIT, WAKE, WAKER, BACKGROUND };

typedef struct stage_object {
  fermata_instance* handle;
  uint32_t calls_metric, size_metric, level_metric;
  fermata_call* waiting; /* a call that awaits WAKE */
} stage_object;

typedef struct job {
  stage_object* stage;
  fermata_call* call;
  fermata_buf input;
  fermata_waker* waker;
  int pipe_ends[2];
  char steps[512];
} job;

static void step(job* j, const char* name) {
  if (j->steps[0] != 0) strncat(j->steps, " ", sizeof j->steps - strlen(j->steps) - 1);
  strncat(j->steps, name, sizeof j->steps - strlen(j->steps) - 1);
}

static fermata_status create(fermata_instance* handle, fermata_str config, void** inst) FERMATA_NX {
  static const fermata_str labels[] = {TEXT("kind")};
  static const double bounds[] = {1, 10, 100};
  fermata_metric_def counter = {0}, gauge = {0}, histogram = {0};
  const fermata_str id = TEXT("fermata.no_such_thing/1");
  stage_object* stage = (stage_object*)calloc(1, sizeof *stage);
  if (stage == NULL || config.len < 2 || host->extension(id) != NULL) return FERMATA_E_INTERNAL;
  stage->handle = handle;
  counter.struct_size = gauge.struct_size = histogram.struct_size = sizeof counter;
  counter.kind = FERMATA_METRIC_COUNTER;
  gauge.kind = FERMATA_METRIC_GAUGE;
  histogram.kind = FERMATA_METRIC_HISTOGRAM;
  counter.name.ptr = "calls_total", counter.name.len = 11;
  gauge.name.ptr = "level", gauge.name.len = 5;
  histogram.name.ptr = "input_bytes", histogram.name.len = 11;
  counter.labels = labels, counter.n_labels = 1;
  histogram.bounds = bounds, histogram.n_bounds = 3;
  if (host->metric_define(handle, &counter, &stage->calls_metric) != FERMATA_OK ||
      host->metric_define(handle, &gauge, &stage->level_metric) != FERMATA_OK ||
      host->metric_define(handle, &histogram, &stage->size_metric) != FERMATA_OK) {
    free(stage);
    return FERMATA_E_INTERNAL;
  }
  *inst = stage;
  return FERMATA_OK;
}

static void destroy(void* inst) FERMATA_NX { free(inst); }

static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) FERMATA_NX {
  stage_object* stage = (stage_object*)inst;
  const fermata_str note = TEXT("begun"), kind = TEXT("all"), message = TEXT("started");
  const fermata_kv pair = {TEXT("attempt"), TEXT("1")};
  job* j = (job*)calloc(1, sizeof *j);
  if (j == NULL) return FERMATA_E_NOMEM;
  j->stage = stage;
  j->call = call;
  j->input = request->input;
  if (j->input.ref != NULL) host->buf_retain(j->input.ref);
  *state = j;
  if (pipe(j->pipe_ends) != 0 || write(j->pipe_ends[1], "x", 1) != 1) return FERMATA_E_INTERNAL;
  host->log(stage->handle, call, FERMATA_LOG_INFO, message, &pair, 1);
  host->progress(call, 0.25, note);
  host->metric_update(stage->handle, stage->calls_metric, 1, &kind, 1);
  host->metric_update(stage->handle, stage->level_metric, 7, NULL, 0);
  host->metric_update(stage->handle, stage->size_metric, (double)j->input.len, NULL, 0);
  if (host->unix_ns(stage->handle) == 0 || host->is_cancelled(call) != 0) return FERMATA_E_INTERNAL;
  const fermata_status status =
      host->sleep_until(call, NAP, host->now_ns(stage->handle) + 1000000, 0);
  return status < 0 ? status : FERMATA_PENDING;
}

static fermata_status blocking(void* state, uint64_t token) FERMATA_NX {
  job* j = (job*)state;
  const fermata_str note = TEXT("working");
  host->progress(j->call, 0.5, note);
  return token == WORK && host->is_cancelled(j->call) == 0 ? FERMATA_OK : FERMATA_E_INTERNAL;
}

static void* fire(void* waker) {
  host->waker_fire((fermata_waker*)waker, 42);
  return NULL;
}

static fermata_status fire_from_a_thread(job* j) {
  pthread_t thread;
  const fermata_status status = host->waker_new(j->call, WAKER, 0, &j->waker);
  if (status < 0) return status;
  if (pthread_create(&thread, NULL, fire, j->waker) != 0) {
    host->waker_drop(j->waker);
    return FERMATA_E_INTERNAL;
  }
  pthread_join(thread, NULL);
  return FERMATA_PENDING;
}

static fermata_status answer(job* j) {
  char text[600];
  fermata_buf out;
  const int size = snprintf(text, sizeof text, "\"%s\"", j->steps);
  if (host->buf_alloc(j->call, (size_t)size, &out) < 0) return FERMATA_E_NOMEM;
  memcpy(out.ptr, text, (size_t)size);
  const fermata_status status = host->emit(j->call, &out, FERMATA_EMIT_FINAL);
  host->buf_release(out.ref);
  return status;
}

static fermata_status pending(fermata_status status) {
  return status < 0 ? status : FERMATA_PENDING;
}

static fermata_status resume(void* state, const fermata_event* event) FERMATA_NX {
  static const fermata_str self = TEXT(SELF);
  job* j = (job*)state;
  stage_object* stage = j->stage;
  fermata_call* root = host->instance_call(stage->handle);
  if (event->status < 0) return event->status;
  switch (event->kind) {
    case FERMATA_EV_TIMER:
      step(j, "timer");
      return pending(host->offload(j->call, WORK, 0, 0));
    case FERMATA_EV_BLOCKING:
      step(j, "blocking");
      return pending(host->poll_fd(j->call, READABLE, j->pipe_ends[0], POLLIN, 0));
    case FERMATA_EV_FD:
      step(j, (event->value & POLLIN) != 0 ? "fd" : "wrong_fd");
      return pending(host->call_stage(j->call, SUB, self, &j->input, 0, 0));
    case FERMATA_EV_STAGE:
      step(j, event->buf.len == j->input.len ? "stage" : "wrong_stage");
      if (host->emit(j->call, &j->input, 0) != FERMATA_OK) return FERMATA_E_INTERNAL;
      return pending(host->await_credit(j->call, CREDIT, 0));
    case FERMATA_EV_CREDIT:
      step(j, "credit");
      stage->waiting = j->call;
      if (host->sleep_until(root, BACKGROUND, host->now_ns(stage->handle), FERMATA_OP_SHIELD) < 0) {
        return FERMATA_E_INTERNAL;
      }
      return pending(host->await_wake(j->call, WAKE, 0));
    case FERMATA_EV_WAKE:
      step(j, event->value == 9 ? "wake" : "wrong_wake");
      /* An op that is cancelled by itself, beside the one that is waited for. */
      if (host->sleep_until(j->call, NAP + 100, UINT64_MAX, 0) < 0) return FERMATA_E_INTERNAL;
      return fire_from_a_thread(j);
    case FERMATA_EV_WAKER:
      step(j, event->value == 42 ? "waker" : "wrong_waker");
      if (host->cancel_op(j->call, NAP + 100) < 0) return FERMATA_E_INTERNAL;
      return answer(j);
    default:
      return FERMATA_PENDING;
  }
}

static void instance_event(void* inst, const fermata_event* event) FERMATA_NX {
  stage_object* stage = (stage_object*)inst;
  if (event->kind != FERMATA_EV_TIMER) return;
  (void)host->offload(host->instance_call(stage->handle), BACKGROUND, 0, FERMATA_OP_SHIELD);
  (void)host->wake(stage->waiting, WAKE, 9);
}

static fermata_status instance_blocking(void* inst, uint64_t token) FERMATA_NX {
  return inst != NULL && token == BACKGROUND ? FERMATA_OK : FERMATA_E_INTERNAL;
}

static void finish(void* state) FERMATA_NX {
  job* j = (job*)state;
  close(j->pipe_ends[0]);
  close(j->pipe_ends[1]);
  if (j->input.ref != NULL) host->buf_release(j->input.ref);
  free(j);
}

/* ---- the other stages: one answers at once, one fails, one only ends when it is cancelled ------
 */

static fermata_status create_plain(fermata_instance* handle, fermata_str config,
                                   void** inst) FERMATA_NX {
  (void)config;
  *inst = handle;
  return FERMATA_OK;
}
static void destroy_plain(void* inst) FERMATA_NX { (void)inst; }
static fermata_status start_echo(void* inst, fermata_call* call, const fermata_request* request,
                                 void** state) FERMATA_NX {
  (void)inst, (void)state;
  return host->emit(call, &request->input, FERMATA_EMIT_FINAL);
}
static fermata_status start_fail(void* inst, fermata_call* call, const fermata_request* request,
                                 void** state) FERMATA_NX {
  fermata_failure failure = {0};
  (void)inst, (void)request, (void)state;
  failure.struct_size = sizeof failure;
  failure.code = 14;
  failure.message.ptr = "the well is dry", failure.message.len = 15;
  failure.retry_after_ns = 3000000000u;
  host->fail_detail(call, &failure);
  return FERMATA_E_UNAVAILABLE;
}
static fermata_status start_wait(void* inst, fermata_call* call, const fermata_request* request,
                                 void** state) FERMATA_NX {
  (void)inst, (void)request;
  *state = call;
  return pending(host->sleep_until(call, NAP, UINT64_MAX, 0));
}
static fermata_status resume_plain(void* state, const fermata_event* event) FERMATA_NX {
  (void)state;
  return event->status < 0 ? event->status : FERMATA_PENDING;
}
static void finish_plain(void* state) FERMATA_NX { (void)state; }

#define SCHEMA TEXT("{\"type\":\"object\"}")
static const fermata_stage every = {sizeof(fermata_stage),
                                    FERMATA_STAGE_IDEMPOTENT | FERMATA_STAGE_STREAMS,
                                    TEXT("every"),
                                    TEXT("uses every slot once"),
                                    SCHEMA,
                                    {NULL, 0},
                                    create,
                                    destroy,
                                    start,
                                    resume,
                                    finish,
                                    blocking,
                                    instance_event,
                                    instance_blocking};
static const fermata_stage echo = {sizeof(fermata_stage),
                                   0,
                                   TEXT("echo"),
                                   TEXT("its input"),
                                   SCHEMA,
                                   {NULL, 0},
                                   create_plain,
                                   destroy_plain,
                                   start_echo,
                                   resume_plain,
                                   finish_plain,
                                   NULL,
                                   NULL,
                                   NULL};
static const fermata_stage fail_stage = {sizeof(fermata_stage),
                                         0,
                                         TEXT("fail"),
                                         TEXT("fails with a reason"),
                                         SCHEMA,
                                         {NULL, 0},
                                         create_plain,
                                         destroy_plain,
                                         start_fail,
                                         resume_plain,
                                         finish_plain,
                                         NULL,
                                         NULL,
                                         NULL};
static const fermata_stage wait_stage = {sizeof(fermata_stage),
                                         0,
                                         TEXT("wait"),
                                         TEXT("until it is cancelled"),
                                         SCHEMA,
                                         {NULL, 0},
                                         create_plain,
                                         destroy_plain,
                                         start_wait,
                                         resume_plain,
                                         finish_plain,
                                         NULL,
                                         NULL,
                                         NULL};
static const fermata_stage* const stages[] = {&every, &echo, &fail_stage, &wait_stage};

static fermata_status init(void) FERMATA_NX {
  return host != NULL ? FERMATA_OK : FERMATA_E_INTERNAL;
}
static void quiesce(void) FERMATA_NX {}
static void fini(void) FERMATA_NX {}

static const fermata_plugin plugin = {sizeof(fermata_plugin),
                                      FERMATA_ABI_MAJOR,
                                      FERMATA_ABI_MINOR,
                                      0,
                                      4,
                                      TEXT(ID),
                                      TEXT("1.0.0"),
                                      stages,
                                      init,
                                      quiesce,
                                      fini};

FERMATA_NOTE(ID, "1.0.0", "frozen 1.0", 0);

const fermata_plugin* fermata_plugin_v1(const fermata_host* table) FERMATA_NX {
  if (table->abi_major != FERMATA_ABI_MAJOR || !FERMATA_HAS(fermata_host, table, metric_update)) {
    return NULL;
  }
  host = table;
  return &plugin;
}
