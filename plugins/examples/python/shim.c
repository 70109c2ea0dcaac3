/* A plugin that is a Python interpreter: the stage is upper.py, fermata_stage.py turns it into
 * steps. Both are inside the library: there is one file to copy, and its hash in plugins.lock is
 * that of all the code. Every entry takes the interpreter's lock, so one instance uses one
 * processor. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "fermata_abi.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

__asm__(
    ".pushsection .rodata\n"
    "fermata_stage_py: .incbin \"fermata_stage.py\"\n.byte 0\n"
    "upper_py: .incbin \"upper.py\"\n.byte 0\n"
    ".popsection\n");
#define INSIDE __attribute__((visibility("hidden")))
extern INSIDE const char fermata_stage_py[], upper_py[];

enum { TOKEN_NAP = 1, TOKEN_WORK = 2 };

static const fermata_host* host;
static PyObject* call_type; /* fermata_stage.Call */
static PyObject* stage_function;

struct job {
  fermata_call* call;
  fermata_instance* instance;
  PyObject* python; /* a fermata_stage.Call */
};

static void fail_with(fermata_call* call, const char* text) {
  fermata_failure failure = {.struct_size = sizeof failure};
  failure.message.ptr = text;
  failure.message.len = strlen(text);
  host->fail_detail(call, &failure);
}

static int run_module(const char* name, const char* file, const char* source) {
  PyObject* code = Py_CompileString(source, file, Py_file_input);
  PyObject* module = code == NULL ? NULL : PyImport_ExecCodeModuleEx(name, code, file);
  Py_XDECREF(code);
  Py_XDECREF(module);
  return module != NULL;
}

static PyObject* attribute_of(const char* module_name, const char* name) {
  PyObject* module = PyImport_ImportModule(module_name);
  PyObject* found = module == NULL ? NULL : PyObject_GetAttrString(module, name);
  Py_XDECREF(module);
  return found;
}

static fermata_status init(void) {
  if (!Py_IsInitialized()) Py_InitializeEx(0); /* 0: leave the signals alone */
  const int found = run_module("fermata_stage", "<fermata_stage.py>", fermata_stage_py) &&
                    run_module("upper", "<upper.py>", upper_py) &&
                    (call_type = attribute_of("fermata_stage", "Call")) != NULL &&
                    (stage_function = attribute_of("upper", "upper")) != NULL;
  if (!found) PyErr_Print();
  PyEval_SaveThread();
  return found ? FERMATA_OK : FERMATA_E_INTERNAL;
}

static fermata_status create(fermata_instance* handle, fermata_str config, void** inst) {
  (void)config;
  *inst = handle;
  return FERMATA_OK;
}
static void destroy(void* inst) { (void)inst; }

static fermata_status answer(struct job* job, const char* text, size_t size) {
  fermata_buf out;
  if (host->buf_alloc(job->call, size, &out) < 0) return FERMATA_E_NOMEM;
  memcpy(out.ptr, text, size);
  const fermata_status status = host->emit(job->call, &out, FERMATA_EMIT_FINAL);
  host->buf_release(out.ref);
  return status;
}

static fermata_status pending(fermata_status status) {
  return status < 0 ? status : FERMATA_PENDING;
}

/* Calls job->python.<method>() and does what it answers. With the lock. */
static fermata_status step(struct job* job, const char* method) {
  const char *what = NULL, *text = NULL;
  unsigned long long number = 0;
  Py_ssize_t size = 0;
  fermata_status status = FERMATA_E_INTERNAL;
  PyObject* answered = PyObject_CallMethod(job->python, method, NULL);
  if (answered == NULL || !PyArg_ParseTuple(answered, "sKs#", &what, &number, &text, &size)) {
    PyErr_Print();
    fail_with(job->call, "the stage's Python failed; its traceback is on stderr");
  } else if (strcmp(what, "nap") == 0) {
    status =
        pending(host->sleep_until(job->call, TOKEN_NAP, host->now_ns(job->instance) + number, 0));
  } else if (strcmp(what, "work") == 0) {
    status = pending(host->offload(job->call, TOKEN_WORK, 0, 0));
  } else if (strcmp(what, "done") == 0) {
    status = size == 0 ? FERMATA_OK : answer(job, text, (size_t)size);
  } else {
    fail_with(job->call, text);
  }
  Py_XDECREF(answered);
  return status;
}

static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) {
  struct job* job = calloc(1, sizeof *job);
  if (job == NULL) return FERMATA_E_NOMEM;
  job->call = call;
  job->instance = inst;
  *state = job;
  const PyGILState_STATE lock = PyGILState_Ensure();
  fermata_status status = FERMATA_E_INTERNAL;
  job->python =
      PyObject_CallFunction(call_type, "Os#", stage_function, (const char*)request->input.ptr,
                            (Py_ssize_t)request->input.len);
  if (job->python != NULL) {
    status = step(job, "step");
  } else {
    PyErr_Print();
  }
  PyGILState_Release(lock);
  return status;
}

static fermata_status resume(void* state, const fermata_event* event) {
  if (event->kind != FERMATA_EV_TIMER && event->kind != FERMATA_EV_BLOCKING) {
    return FERMATA_PENDING; /* a later minor's */
  }
  if (event->status < 0) return event->status; /* cancelled, or failed; finish() closes it */
  const PyGILState_STATE lock = PyGILState_Ensure();
  const fermata_status status = step((struct job*)state, "step");
  PyGILState_Release(lock);
  return status;
}

static fermata_status blocking(void* state, uint64_t token) {
  (void)token;
  const PyGILState_STATE lock = PyGILState_Ensure();
  const fermata_status status = step((struct job*)state, "run");
  PyGILState_Release(lock);
  return status;
}

static void finish(void* state) {
  struct job* job = state;
  if (job->python != NULL) {
    const PyGILState_STATE lock = PyGILState_Ensure();
    PyObject* closed = PyObject_CallMethod(job->python, "close", NULL);
    if (closed == NULL) PyErr_Print();
    Py_XDECREF(closed);
    Py_DECREF(job->python);
    PyGILState_Release(lock);
  }
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
    .flags = FERMATA_PLUGIN_ISOLATE,
    .n_stages = 1,
    .id = TEXT("org.example.upper_python"),
    .version = TEXT("0.1.0"),
    .stages = stages,
    .init = init,
};

/* An interpreter is one for the whole process: a process of its own. */
FERMATA_NOTE("org.example.upper_python", "0.1.0", "python", FERMATA_PLUGIN_ISOLATE);

const fermata_plugin* fermata_plugin_v1(const fermata_host* table) {
  if (table->abi_major != FERMATA_ABI_MAJOR || !FERMATA_HAS(fermata_host, table, metric_update)) {
    return NULL; /* another host: it would be misread */
  }
  host = table;
  return &plugin;
}
