/* fermata_abi.h: the contract between the server and a stage plugin. Major 1, minor 0: FROZEN. C11
 * and C++20, libc headers only.
 *
 * RULES OF THE HOUSE (the long form is in README.md)
 *  R1 The host enters plugin code only through the function pointers of fermata_plugin and
 *     fermata_stage. There are no other callbacks: every completion comes back as an event that
 *     carries the token the plugin chose.
 *  R2 A plugin says "finished" by RETURNING, never by calling the host.
 *  R3 Host functions never re-enter the plugin: an event is always delivered later, from the loop.
 *  R4 Every accepted op yields exactly one event, also when cancelled (FERMATA_E_CANCELLED).
 *  R5 Pointers given to a function are borrowed until it returns; to keep bytes, buf_retain().
 *     Descriptors are static.
 *  R6 Nothing may unwind across this boundary (C++ throw, Rust panic, longjmp): the function types
 *     are noexcept.
 *
 * HOW A SLOT IS DOCUMENTED
 *  Thread    [loop]   the thread that owns the instance
 *            [worker] a host thread, inside blocking(), init(), quiesce(), fini()
 *            [any]    every other thread too
 *  Since     the first minor that has it; without one it is 1.0.
 *  Owns      whose the memory and handles are. Without a word: the caller's, borrowed (R5).
 *  Errors    all that it may answer. FERMATA_E_CLOSED (the call or the instance is over) and
 *            FERMATA_E_INVALID (an argument against this text) may come from every function.
 *
 * EVOLUTION
 *  Structs with struct_size grow at the end only; by-value structs without it are frozen for ever.
 *  Nothing is reordered, retyped or re-purposed within a major. Newer fields are read through
 *  FERMATA_HAS. README.md has the rules in full. */
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
#define FERMATA_E_INVALID (-3)     /* bad input: permanent, a retry cannot help */
#define FERMATA_E_TRANSIENT (-4)   /* retry with the job's back-off policy */
#define FERMATA_E_UNAVAILABLE (-5) /* a dependency is down: retry, counts for the breaker */
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

/* Read-only, valid until start() returns; its texts until finish(). Grows at the end. */
typedef struct fermata_request {
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

  /* [any] An optional interface such as "fermata.checkpoint/1", or NULL: the host has none of that
   * name and revision. Owns: the host's, valid for ever. */
  const void* (*extension)(fermata_str id)FERMATA_NX;

  /* [loop] The loop's monotonic clock in ns: virtual when the server simulates, and the same within
   * one entry. Never 0. */
  uint64_t (*now_ns)(fermata_instance*) FERMATA_NX;
  /* [loop] The same instant as wall time, in ns since 1970. */
  int64_t (*unix_ns)(fermata_instance*) FERMATA_NX;

  /* [any] with call NULL; [loop] and the call's own [worker] with a call. level: FERMATA_LOG_*. The
   * texts are copied. Rate-limited: what is too much is counted and dropped. */
  void (*log)(fermata_instance*, fermata_call*, uint32_t level, fermata_str msg,
              const fermata_kv* kv, uint32_t n_kv) FERMATA_NX;

  /* [any] Bytes to fill and then to emit or hand to call_stage(). Owns: the plugin gets one
   * reference and gives it back with buf_release(), also after emit(). Errors: E_NOMEM, and then
   * *out has a NULL ref. */
  fermata_status (*buf_alloc)(fermata_call*, size_t len, fermata_buf* out) FERMATA_NX;
  /* [any] One more reference, the plugin's. Only while it has one, or while the buffer is lent to
   * it. NULL is ignored by no host: ask first. */
  void (*buf_retain)(fermata_bufref*) FERMATA_NX;
  /* [any] One reference less; with the last one the bytes are gone. */
  void (*buf_release)(fermata_bufref*) FERMATA_NX;

  /* [loop] The instance's root call, alive from create() to destroy(). Ops on it belong to no job:
   * connection pools, shared clients, an SDK's own event loop. Their events go to
   * stage->instance_event, its offloads to stage->instance_blocking. emit and progress do nothing
   * on it; fail_detail on it explains an error of create(). A shielded op with a fresh token is
   * never refused on it before destroy(): SDKs stand on that. Owns: the host's. */
  fermata_call* (*instance_call)(fermata_instance*)FERMATA_NX;

  /* ---- ops: all [loop] ---------------------------------------------------------------------
   * FERMATA_OK: accepted, one event follows. Negative: refused, no event. token: unique among the
   * outstanding ops of its call. flags: FERMATA_OP_*.
   * Errors of every op: E_INVALID (the token is outstanding already), E_CANCELLED (the call is
   * cancelled and the op is not shielded), E_CLOSED, E_NOMEM. */

  /* [loop] FERMATA_EV_TIMER when now_ns() has reached deadline_ns; at once when it has already. */
  fermata_status (*sleep_until)(fermata_call*, uint64_t token, uint64_t deadline_ns,
                                uint32_t flags) FERMATA_NX;
  /* [loop] FERMATA_EV_FD, once, when the descriptor is ready; poll_events and event.value as
   * poll(2): POLLIN, POLLOUT. Owns: the fd stays the plugin's and must stay open until the event;
   * where it is found closed, the event is FERMATA_E_INVALID with POLLNVAL. Errors: E_INVALID for
   * what cannot be polled. */
  fermata_status (*poll_fd)(fermata_call*, uint64_t token, int32_t fd, uint32_t poll_events,
                            uint32_t flags) FERMATA_NX;
  /* [loop] Runs blocking(state, token) on a host thread; FERMATA_EV_BLOCKING when it has returned.
   * Not interruptible. pool: 0. *state (or *inst) must be set before. Errors: E_UNSUPPORTED (no
   * blocking(), another pool), E_INVALID (no state). */
  fermata_status (*offload)(fermata_call*, uint64_t token, uint32_t pool,
                            uint32_t flags) FERMATA_NX;
  /* [loop] Runs another stage ("plugin/stage"); it inherits the trace and the cancellation, and the
   * deadline unless deadline_ns (0: none) is earlier. FERMATA_EV_STAGE with its output, or with its
   * status and the error's text; a stage that streams sends FERMATA_EV_STAGE_CHUNK before that.
   * Owns: input is copied or retained; event.buf is lent. Errors: E_UNSUPPORTED (no such stage),
   * E_INVALID (too deep). */
  fermata_status (*call_stage)(fermata_call*, uint64_t token, fermata_str stage,
                               const fermata_buf* input, uint64_t deadline_ns,
                               uint32_t flags) FERMATA_NX;
  /* [loop] FERMATA_EV_CREDIT when emit() has room again. Errors: E_UNSUPPORTED on a root call. */
  fermata_status (*await_credit)(fermata_call*, uint64_t token, uint32_t flags) FERMATA_NX;
  /* [loop] FERMATA_EV_WAKE after wake(call, token, value): how something that runs elsewhere in the
   * same instance (another call, the root call) lets this call return from resume(). The one op
   * that another part of the plugin must complete. */
  fermata_status (*await_wake)(fermata_call*, uint64_t token, uint32_t flags) FERMATA_NX;
  /* [loop] No op. Completes an await_wake. Errors: E_INVALID (no such await_wake outstanding). */
  fermata_status (*wake)(fermata_call*, uint64_t token, uint64_t value) FERMATA_NX;
  /* [loop] No op. The op's one event comes with FERMATA_E_CANCELLED, unless it had already
   * completed; an offload that runs is waited for. Errors: E_INVALID (no such op). */
  fermata_status (*cancel_op)(fermata_call*, uint64_t token) FERMATA_NX;

  /* [loop] FERMATA_EV_WAKER after the waker was fired (event.value is the value given) or dropped
   * (status E_CANCELLED). Owns: *out is the plugin's, to be consumed exactly once by waker_fire or
   * waker_drop, also after its call ended. */
  fermata_status (*waker_new)(fermata_call*, uint64_t token, uint32_t flags,
                              fermata_waker** out) FERMATA_NX;
  /* [any] Owns: consumes the waker, whatever it answers. Errors: E_CLOSED (nobody waits any more).
   */
  fermata_status (*waker_fire)(fermata_waker*, uint64_t value) FERMATA_NX;
  /* [any] Owns: consumes the waker. Errors: E_CLOSED. */
  fermata_status (*waker_drop)(fermata_waker*) FERMATA_NX;

  /* ---- results ------------------------------------------------------------------------------ */

  /* [loop] A chunk; with FERMATA_EMIT_FINAL the call's output, once, before OK is returned. Owns:
   * with a ref the host retains it and nobody may write to the bytes any more; with a NULL ref they
   * are copied. Errors: WOULD_BLOCK (no credit: await_credit() first), E_INVALID (after FINAL),
   * E_UNSUPPORTED on a root call. */
  fermata_status (*emit)(fermata_call*, const fermata_buf*, uint32_t flags) FERMATA_NX;
  /* [loop], and the call's own [worker]. 0 to 1, or NaN: unknown. Coalesced, cheap enough for
   * loops; renews the job's lease. */
  void (*progress)(fermata_call*, double fraction, fermata_str note) FERMATA_NX;
  /* [loop], and the call's own [worker]. Goes with the error that is about to be returned; the last
   * one counts. Owns: the texts are copied. */
  void (*fail_detail)(fermata_call*, const fermata_failure*) FERMATA_NX;
  /* [loop], and the call's own [worker]. FERMATA_CANCEL_*, or 0. */
  uint32_t (*is_cancelled)(fermata_call*) FERMATA_NX;

  /* ---- metrics ------------------------------------------------------------------------------ */

  /* [loop] In create() only. *id is never 0. Owns: everything is copied. Errors: E_CLOSED (create()
   * is over), E_UNSUPPORTED (the kind), E_INVALID (names or bounds against Prometheus's rules, the
   * same name twice, too many). */
  fermata_status (*metric_define)(fermata_instance*, const fermata_metric_def*,
                                  uint32_t* id) FERMATA_NX;
  /* [loop] Add to a counter, set a gauge, observe into a histogram. No lock. Errors: E_INVALID (no
   * such id, another number of labels), E_NOMEM (too many series). */
  fermata_status (*metric_update)(fermata_instance*, uint32_t id, double v,
                                  const fermata_str* label_values, uint32_t n) FERMATA_NX;
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
   * usable from here on. Owns: *inst is the plugin's until destroy(). An error refuses the stage
   * and is explained by fail_detail(instance_call(...)); destroy() is not called then. Mandatory.
   */
  fermata_status (*create)(fermata_instance*, fermata_str config, void** inst) FERMATA_NX;
  /* [loop] No calls left and no op outstanding on the root call. Mandatory. */
  void (*destroy)(void* inst) FERMATA_NX;

  /* [loop] OK, PENDING or an error. While PENDING, resume() is called once per event. Owns: *state
   * is the plugin's until finish(). Mandatory, as resume() and finish(). */
  fermata_status (*start)(void* inst, fermata_call*, const fermata_request*,
                          void** state) FERMATA_NX;
  /* [loop] The event and its bytes are lent. Unknown kinds: return FERMATA_PENDING. */
  fermata_status (*resume)(void* state, const fermata_event*) FERMATA_NX;
  /* [loop] Once, after a terminal return and when no blocking() runs; only if *state was set. The
   * call handle is good until it returns. */
  void (*finish)(void* state) FERMATA_NX;
  /* [worker] What it returns is the status of the FERMATA_EV_BLOCKING. NULL if the stage never
   * offloads. */
  fermata_status (*blocking)(void* state, uint64_t token) FERMATA_NX;

  /* [loop] The events of the root call. NULL if it is not used. Unknown kinds: ignore. */
  void (*instance_event)(void* inst, const fermata_event*) FERMATA_NX;
  /* [worker] The offloads of the root call. NULL if it is not used. */
  fermata_status (*instance_blocking)(void* inst, uint64_t token) FERMATA_NX;
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
  /* [worker] Once per load, before the first create(). An error refuses the plugin. May be NULL. */
  fermata_status (*init)(void) FERMATA_NX;
  /* [worker] Stop AND JOIN every thread you started; no instance is left. May be NULL. */
  void (*quiesce)(void) FERMATA_NX;
  /* [worker] The last call ever. May be NULL. */
  void (*fini)(void) FERMATA_NX;
} fermata_plugin;
#define FERMATA_PLUGIN_OWNS_THREADS 1u /* its code stays mapped for ever */
#define FERMATA_PLUGIN_ISOLATE 2u      /* must run in a process of its own */

/* THE symbol. [worker] Pure: called at any time, any number of times, answers the same static
 * descriptor. NULL: refuses this host, as it must when host->abi_major is not FERMATA_ABI_MAJOR or
 * the table lacks a function that the plugin calls. Owns: the host's table outlives the plugin. */
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
