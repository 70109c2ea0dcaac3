// One end of a pipe as a Stream: the standard input or output of a child process.
//
// A pipe goes one way: reading from the end for writing is an error of the kernel, and the other
// way round. Writing to a pipe that nobody reads is Unavailable, and raises no SIGPIPE.
#ifndef SERVICES_ASYNC_PROCESS_PIPE_H_
#define SERVICES_ASYNC_PROCESS_PIPE_H_

#include "absl/status/statusor.h"
#include "services/async/descriptor.h"
#include "services/async/net/stream.h"

namespace fermata {

// Takes the descriptor over, and makes it non-blocking.
absl::StatusOr<Stream> stream_from_pipe(Descriptor pipe);

}  // namespace fermata

#endif  // SERVICES_ASYNC_PROCESS_PIPE_H_
