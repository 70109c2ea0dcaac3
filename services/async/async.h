// The coroutine core, all of it. README.md says where to begin.
//
//   coroutines   Co<T>  Task<T>  Outcome<T>  Generator<T>  Try
//   many         TaskGroup  with_group  gather  gather_settled  race  RaceResult  quorum  for_each
//   stopping     CancelScope  CancelReason  timeout  timeout_at  current_deadline  shield
//   time         now  sleep  sleep_until  yield_now
//   each other   Event  Lock  Semaphore  Condition  Queue<T>  PriorityQueue<T>  Promise  Future
//   context      ContextVar<T>
//   outside      offload  Loop::post  readable  writable  Descriptor
//   loops        run  make_loop  EpollLoop  UringLoop  SimLoop  buggify
//   looking      ps  pstree  TaskInfo  LoopStats  Watchdog
//
// Every operation that waits says in its header when it wakes, and what it does on cancel and on
// shutdown. Streams are in net/, processes and signals in process/.
#ifndef SERVICES_ASYNC_ASYNC_H_
#define SERVICES_ASYNC_ASYNC_H_

#include "services/async/awaitable.h"
#include "services/async/buggify.h"
#include "services/async/cancel_reason.h"
#include "services/async/cancel_scope.h"
#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/condition.h"
#include "services/async/context_var.h"
#include "services/async/descriptor.h"
#include "services/async/epoll_loop.h"
#include "services/async/event.h"
#include "services/async/for_each.h"
#include "services/async/future.h"
#include "services/async/gather.h"
#include "services/async/generator.h"
#include "services/async/io.h"
#include "services/async/lock.h"
#include "services/async/loop.h"
#include "services/async/make_loop.h"
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
#include "services/async/uring_loop.h"
#include "services/async/watchdog.h"

#endif  // SERVICES_ASYNC_ASYNC_H_
