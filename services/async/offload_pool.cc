#include "services/async/offload_pool.h"

namespace fermata {

template class BasicOffloadPool<OffloadThreads>;

}  // namespace fermata
