/* fermata_abi.h: the contract between the server and a stage plugin, major 1. C11 and C++20, libc
 * headers only.
 *
 * RULES OF THE HOUSE (the long form is in README.md)
 *  R1 The host enters plugin code only through the function pointers of fermata_plugin and
 * fermata_stage. There are no other callbacks: every completion comes back as an event carrying the
 * token the plugin chose. R2 A plugin says "finished" by RETURNING, never by calling the host. R3
 * Host functions never re-enter the plugin: an event is always delivered later, from the loop. R4
 * Every accepted op yields exactly one event, also when cancelled (status FERMATA_E_CANCELLED). R5
 * Pointers given to a function are borrowed until it returns; to keep bytes, buf_retain().
 * Descriptors are static. R6 Nothing may unwind across this boundary (C++ throw, Rust panic,
 * longjmp): the function types are noexcept.
 *
 * THREAD TAGS  [loop] the thread that owns the instance   [worker] a host thread, inside
 * blocking(), init(), ... [any] every other thread too EVOLUTION    Structs with struct_size grow
 * at the end only; by-value structs without it are frozen for ever. Nothing is reordered, retyped
 * or re-purposed within a major. Newer fields are read through FERMATA_HAS. */
#ifndef PLUGINS_ABI_FERMATA_ABI_H_
#define PLUGINS_ABI_FERMATA_ABI_H_

#include <stddef.h>
#include <stdint.h>

#define FERMATA_ABI_MAJOR 1
#define FERMATA_ABI_MINOR 0
/* The newest minor the plugin calls into; the note records it as min_host_minor. */
#ifndef FERMATA_TARGET_MINOR
#define FERMATA_TARGET_MINOR 0
#endif

#ifdef __cplusplus
extern "C" {
#define FERMATA_NX noexcept
#else
#define FERMATA_NX
#endif

#define FERMATA_EXPORT __attribute__((visibility("default")))
#define FERMATA_HAS(type, p, field) ((p)->struct_size >= offsetof(type, field) + sizeof((p)->field))

/* ---- values: fixed width only; no C enum, bool, long or bit-field in any struct ------------ */

typedef int32_t fermata_status;
#define FERMATA_OK 0
#define FERMATA_PENDING 1     /* start, resume: "call me again with an event" */
#define FERMATA_WOULD_BLOCK 2 /* emit: no credit left, await_credit() first */
#define FERMATA_E_CANCELLED (-1)
#define FERMATA_E_DEADLINE (-2)
#define FERMATA_E_INVALID (-3)   /* bad input: permanent, a retry cannot help */
#define FERMATA_E_TRANSIENT (-4) /* retry with the job's back-off policy */
#define FERMATA_E_UNAVAILABLE                                         \
  (-5) /* a dependency is down: retry, counts for the circuit breaker \
        */
#define FERMATA_E_NOMEM (-6)
#define FERMATA_E_UNSUPPORTED (-7)
#define FERMATA_E_INTERNAL (-8) /* a bug in the plugin */
#define FERMATA_E_CLOSED (-9)   /* the call, the instance or the waker is already over */
#define FERMATA_E_LOST (-10)    /* host only: the plugin's process died, side effects unknown */

typedef struct fermata_str { /* UTF-8, not NUL-terminated. Frozen. */
  const char* ptr;
  size_t len;
} fermata_str;

typedef struct fermata_bufref fermata_bufref; /* a host-owned reference count */
typedef struct fermata_buf {                  /* writable between buf_alloc and emit. Frozen. */
  uint8_t* ptr;
  size_t len;
  fermata_bufref* ref; /* may be NULL: then the bytes cannot be kept */
} fermata_buf;

typedef struct fermata_kv { /* Frozen. */
  fermata_str key, value;
} fermata_kv;

typedef struct fermata_call
    fermata_call; /* one attempt of one job in one stage; or an instance's root call */
typedef struct fermata_instance fermata_instance; /* one configured stage on one loop */
typedef struct fermata_waker fermata_waker;       /* a one-shot wake-up that any thread may fire */

typedef struct fermata_request { /* read-only, valid until start() returns; its texts until finish()
                                  */
  uint32_t struct_size;
  uint32_t flags; /* FERMATA_RQ_* */
  fermata_str job_id;
  fermata_str trace_parent; /* W3C traceparent, or empty */
  uint32_t attempt;         /* 1 is the first */
  uint32_t reserved;
  uint64_t deadline_ns;   /* same clock as now_ns(); 0 is none */
  fermata_buf input;      /* JSON, already checked against input_schema, defaults filled in */
  fermata_buf checkpoint; /* what an earlier attempt saved, or empty */
} fermata_request;
#define FERMATA_RQ_PROBE 1u /* dry run: no side effects */

typedef struct fermata_event { /* unknown kinds must be ignored by returning FERMATA_PENDING */
  uint32_t struct_size;
  uint32_t kind;  /* FERMATA_EV_* */
  uint64_t token; /* the op's */
  uint64_t value; /* FD: revents. WAKER, WAKE: the value given. Cancelled: FERMATA_CANCEL_* */
  fermata_status status; /* OK, or why the op ended */
  uint32_t flags;
  fermata_buf buf; /* STAGE: output or error text; STAGE_CHUNK: the chunk. Retain to keep. */
} fermata_event;
#define FERMATA_EV_TIMER 1u
#define FERMATA_EV_FD 2u
#define FERMATA_EV_BLOCKING 3u /* status is what blocking() returned */
#define FERMATA_EV_STAGE 4u
#define FERMATA_EV_STAGE_CHUNK 5u /* a chunk of a streaming sub-stage: the one exception to R4 */
#define FERMATA_EV_CREDIT 6u
#define FERMATA_EV_WAKER 7u
#define FERMATA_EV_WAKE 8u

/* Why a call was cancelled: the value of the events that end with FERMATA_E_CANCELLED. */
#define FERMATA_CANCEL_REQUESTED 1u
#define FERMATA_CANCEL_DEADLINE 2u
#define FERMATA_CANCEL_SHUTDOWN 3u /* of the instance: it is about to be destroyed */
#define FERMATA_CANCEL_SIBLING 4u  /* another part of the same job failed */

/* Flag of an op: not ended by cancellation, and accepted after it, within the grace period. */
#define FERMATA_OP_SHIELD 1u

typedef struct fermata_failure { /* the detail of the error that is about to be returned */
  uint32_t struct_size;
  uint32_t code; /* google.rpc.Code that users see (5: NOT_FOUND), 0: derived from the status */
  fermata_str message;
  uint64_t retry_after_ns; /* the dependency's own wish (HTTP Retry-After), 0 is none */
} fermata_failure;

typedef struct fermata_metric_def {
  uint32_t struct_size;
  uint32_t kind;          /* FERMATA_METRIC_* */
  fermata_str name, help; /* exported as fermata_plugin_<name>{plugin=,stage=,...} */
  const fermata_str* labels;
  const double* bounds; /* histogram: upper bounds, rising, without +Inf */
  uint32_t n_labels, n_bounds;
} fermata_metric_def;
#define FERMATA_METRIC_COUNTER 1u
#define FERMATA_METRIC_GAUGE 2u
#define FERMATA_METRIC_HISTOGRAM 3u

#define FERMATA_LOG_DEBUG 0u
#define FERMATA_LOG_INFO 1u
#define FERMATA_LOG_WARNING 2u
#define FERMATA_LOG_ERROR 3u

/* ---- what the host gives ------------------------------------------------------------------- */

typedef struct fermata_host {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  fermata_str name, version;

  /* [any] An optional interface such as "fermata.checkpoint/1", or NULL. Valid for ever. */
  const void* (*extension)(fermata_str id)FERMATA_NX;

  /* [loop] The loop's monotonic clock: virtual when the server simulates. unix_ns is the same
   * instant as wall time. */
  uint64_t (*now_ns)(fermata_instance*) FERMATA_NX;
  int64_t (*unix_ns)(fermata_instance*) FERMATA_NX;

  /* [any] with call NULL; [loop] and the call's own [worker] with a call. Rate-limited. */
  void (*log)(fermata_instance*, fermata_call*, uint32_t level, fermata_str msg,
              const fermata_kv* kv, uint32_t n_kv) FERMATA_NX;

  fermata_status (*buf_alloc)(fermata_call*, size_t len, fermata_buf* out) FERMATA_NX; /* [any] */
  void (*buf_retain)(fermata_bufref*) FERMATA_NX;                                      /* [any] */
  void (*buf_release)(fermata_bufref*) FERMATA_NX;                                     /* [any] */

  /* The instance's root call, alive from create() to destroy(). Ops on it belong to no job:
   * connection pools, shared clients, an SDK's own event loop. Their events go to
   * stage->instance_event, its offloads to stage->instance_blocking. Emit, progress and fail_detail
   * do nothing on it. [loop] */
  fermata_call* (*instance_call)(fermata_instance*)FERMATA_NX;

  /* Ops. FERMATA_OK: accepted, one event follows. Negative: refused, no event. Tokens must be
   * unique among the outstanding ops of their call; a duplicate is refused with FERMATA_E_INVALID.
   * All [loop]. */
  fermata_status (*sleep_until)(fermata_call*, uint64_t token, uint64_t deadline_ns,
                                uint32_t flags) FERMATA_NX;
  /* One shot; poll_events as poll(2). The fd stays the plugin's and must stay open until the event.
   */
  fermata_status (*poll_fd)(fermata_call*, uint64_t token, int32_t fd, uint32_t poll_events,
                            uint32_t flags) FERMATA_NX;
  /* Runs blocking(state, token) on a host thread. Not interruptible: its event comes when it has
   * returned. */
  fermata_status (*offload)(fermata_call*, uint64_t token, uint32_t pool,
                            uint32_t flags) FERMATA_NX;
  /* Runs another stage ("plugin/stage"); it inherits the deadline, the trace and the cancellation.
   */
  fermata_status (*call_stage)(fermata_call*, uint64_t token, fermata_str stage,
                               const fermata_buf* input, uint64_t deadline_ns,
                               uint32_t flags) FERMATA_NX;
  fermata_status (*await_credit)(fermata_call*, uint64_t token, uint32_t flags) FERMATA_NX;
  /* Waits for wake(call, token, value): how something that runs elsewhere in the same instance
   * (another call, the root call) lets this call return from resume(). The one op that another part
   * of the plugin must complete. */
  fermata_status (*await_wake)(fermata_call*, uint64_t token, uint32_t flags) FERMATA_NX;
  fermata_status (*wake)(fermata_call*, uint64_t token, uint64_t value) FERMATA_NX;
  /* The op's one event comes with FERMATA_E_CANCELLED, unless it had already completed. */
  fermata_status (*cancel_op)(fermata_call*, uint64_t token) FERMATA_NX;

  /* A waker is an op too. Firing consumes it; so does waker_drop, which ends the op with
   * FERMATA_E_CANCELLED. Every waker must be consumed exactly once, also after its call ended (the
   * answer is then FERMATA_E_CLOSED). */
  fermata_status (*waker_new)(fermata_call*, uint64_t token, uint32_t flags,
                              fermata_waker** out) FERMATA_NX;             /* [loop] */
  fermata_status (*waker_fire)(fermata_waker*, uint64_t value) FERMATA_NX; /* [any] */
  fermata_status (*waker_drop)(fermata_waker*) FERMATA_NX;                 /* [any] */

  /* Results. */
  fermata_status (*emit)(fermata_call*, const fermata_buf*, uint32_t flags) FERMATA_NX; /* [loop] */
  void (*progress)(fermata_call*, double fraction,
                   fermata_str note) FERMATA_NX; /* [loop|worker] NaN: unknown */
  void (*fail_detail)(fermata_call*, const fermata_failure*) FERMATA_NX; /* [loop|worker] */
  uint32_t (*is_cancelled)(fermata_call*) FERMATA_NX;                    /* [loop|worker] */

  /* Metrics: defined in create() only, then updated by id without a lock. The host caps the number
   * of series. [loop] */
  fermata_status (*metric_define)(fermata_instance*, const fermata_metric_def*,
                                  uint32_t* id) FERMATA_NX;
  fermata_status (*metric_update)(fermata_instance*, uint32_t id, double v,
                                  const fermata_str* label_values,
                                  uint32_t n) FERMATA_NX; /* add, set or observe */
  /* Minor 1 and later: append here. */
} fermata_host;
#define FERMATA_EMIT_FINAL 1u /* this is the call's output; without it, a chunk of a stream */

/* ---- what the plugin gives: static and immutable ------------------------------------------- */

typedef struct fermata_stage {
  uint32_t struct_size;
  uint32_t flags;            /* FERMATA_STAGE_* */
  fermata_str name, summary; /* name: ^[a-z][a-z0-9_-]{0,47}$ */
  fermata_str config_schema; /* JSON Schema (draft 4) of create()'s config; empty: anything */
  fermata_str input_schema;  /* JSON Schema (draft 4) of each call's input; empty: anything */

  /* [loop] Once per loop. config is valid JSON, checked, defaults filled in. The root call is
   * usable from here on. */
  fermata_status (*create)(fermata_instance*, fermata_str config, void** inst) FERMATA_NX;
  /* [loop] No calls left and no op outstanding on the root call. */
  void (*destroy)(void* inst) FERMATA_NX;

  /* [loop] OK, PENDING or an error. While PENDING, resume() is called once per event. */
  fermata_status (*start)(void* inst, fermata_call*, const fermata_request*,
                          void** state) FERMATA_NX;
  fermata_status (*resume)(void* state, const fermata_event*) FERMATA_NX;
  /* [loop] Once, after a terminal return and when no blocking() runs; only if *state was set. */
  void (*finish)(void* state) FERMATA_NX;
  /* [worker] NULL if the plugin never offloads. */
  fermata_status (*blocking)(void* state, uint64_t token) FERMATA_NX;

  /* The same for ops on the instance's root call. NULL if it is not used. */
  void (*instance_event)(void* inst, const fermata_event*) FERMATA_NX;        /* [loop] */
  fermata_status (*instance_blocking)(void* inst, uint64_t token) FERMATA_NX; /* [worker] */
} fermata_stage;
#define FERMATA_STAGE_IDEMPOTENT 1u /* safe to run again after FERMATA_E_LOST */
#define FERMATA_STAGE_PROBE 2u      /* understands FERMATA_RQ_PROBE */
#define FERMATA_STAGE_STREAMS 4u    /* emits chunks before the final output */

typedef struct fermata_plugin {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  uint32_t flags; /* FERMATA_PLUGIN_* */
  uint32_t n_stages;
  fermata_str id, version; /* reverse-DNS id, its last part is the short name; SemVer */
  const fermata_stage* const* stages;
  fermata_status (*init)(void) FERMATA_NX; /* [worker] once per load; may be NULL */
  void (*quiesce)(void)
      FERMATA_NX;                /* [worker] stop AND JOIN every thread you started; may be NULL */
  void (*fini)(void) FERMATA_NX; /* [worker] the last call ever; may be NULL */
} fermata_plugin;
#define FERMATA_PLUGIN_OWNS_THREADS 1u /* its code stays mapped for ever */
#define FERMATA_PLUGIN_ISOLATE 2u      /* must run in a process of its own */

/* THE symbol. Pure: called at any time, answers the same. The host table outlives the plugin. NULL:
 * refuses this host. */
FERMATA_EXPORT const fermata_plugin* fermata_plugin_v1(const fermata_host* host) FERMATA_NX;

/* ---- the ELF note: read from the file's bytes before any plugin code can run --------------- */

typedef struct fermata_note {
  uint32_t namesz, descsz, type;
  char name[8];
  uint16_t abi_major, abi_minor, min_host_minor,
      flags;                         /* flags: FERMATA_PLUGIN_*; bits 8-15 must be understood */
  char id[64], version[32], sdk[32]; /* NUL-terminated */
} fermata_note;
#define FERMATA_NOTE_NAME "fermata"
#define FERMATA_NOTE_TYPE 0x464D5431u /* "FMT1" */
#define FERMATA_NOTE(ID, VERSION, SDK, FLAGS)                             \
  __attribute__((section(".note.fermata"), used,                          \
                 aligned(4))) static const fermata_note fermata_note_ = { \
      8,                                                                  \
      sizeof(fermata_note) - 20,                                          \
      FERMATA_NOTE_TYPE,                                                  \
      FERMATA_NOTE_NAME,                                                  \
      FERMATA_ABI_MAJOR,                                                  \
      FERMATA_ABI_MINOR,                                                  \
      FERMATA_TARGET_MINOR,                                               \
      FLAGS,                                                              \
      ID,                                                                 \
      VERSION,                                                            \
      SDK}

#ifdef __cplusplus
}
#endif

#endif /* PLUGINS_ABI_FERMATA_ABI_H_ */
