// The coroutine core, all of it. README.md says where to begin.
#ifndef SERVICES_ASYNC_ASYNC_H_
#define SERVICES_ASYNC_ASYNC_H_

#include "services/async/awaitable.h"
#include "services/async/cancel_reason.h"
#include "services/async/cancel_scope.h"
#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/condition.h"
#include "services/async/epoll_loop.h"
#include "services/async/event.h"
#include "services/async/for_each.h"
#include "services/async/future.h"
#include "services/async/gather.h"
#include "services/async/io.h"
#include "services/async/lock.h"
#include "services/async/loop.h"
#include "services/async/offload.h"
#include "services/async/outcome.h"
#include "services/async/ps.h"
#include "services/async/queue.h"
#include "services/async/quorum.h"
#include "services/async/run.h"
#include "services/async/semaphore.h"
#include "services/async/shield.h"
#include "services/async/sim_loop.h"
#include "services/async/sleep.h"
#include "services/async/task.h"
#include "services/async/task_group.h"
#include "services/async/timeout.h"
#include "services/async/try.h"

#endif  // SERVICES_ASYNC_ASYNC_H_
