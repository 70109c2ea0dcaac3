// SealedMemory: bytes too large for a frame, in a memfd that can no longer be changed.
//
// The seals are what makes it safe to read a stranger's memory: without them the writer could
// shrink it under the reader (SIGBUS), or change bytes after they were checked. So the reader asks
// the kernel for the seals and the size, and believes neither the frame nor the writer. A memfd,
// not /dev/shm, which is 64 MB in a container.
#ifndef SERVICES_STAGES_ISOLATED_SEALED_MEMORY_H_
#define SERVICES_STAGES_ISOLATED_SEALED_MEMORY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/stages/file_descriptor.h"

namespace fermata {

// ResourceExhausted, Internal: the kernel has no room for it.
absl::StatusOr<FileDescriptor> seal_bytes(std::string_view bytes);

// InvalidArgument: not sealed against shrinking, growing and writing, not of the size that was
// said, or larger than `max`.
absl::StatusOr<std::string> read_sealed(int fd, uint64_t said_bytes, uint64_t max);

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_SEALED_MEMORY_H_
