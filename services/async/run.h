// run(main()): makes a loop (make_loop.h), runs main on this thread, and returns its status.
// asyncio.run.
#ifndef SERVICES_ASYNC_RUN_H_
#define SERVICES_ASYNC_RUN_H_

#include <utility>

#include "absl/status/status.h"
#include "services/async/make_loop.h"

namespace fermata {

inline absl::Status run(Co<absl::Status>&& main) { return make_loop()->run(std::move(main)); }

}  // namespace fermata

#endif  // SERVICES_ASYNC_RUN_H_
