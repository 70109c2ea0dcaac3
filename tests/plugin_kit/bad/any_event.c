/* unknown-event: takes every event for the one it waits for. */
#define ON_EVENT(job, event) ((event)->status < 0 ? (event)->status : answer(job))
#include "tests/plugin_kit/bad/parts.h"
