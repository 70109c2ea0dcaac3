// CallContext: who makes a call, what it holds, and what the audit will say of it. Made at the
// gate, then owned by the call; the loop's thread from start() on.
#pragma once

#include <string>

#include "services/frontend/authenticator.h"
#include "services/frontend/call_quota.h"

namespace fermata::frontend {

struct CallContext {
  Caller caller;  // null: nobody was asked, everything is allowed
  CallLease lease;
  // For the audit; empty when there is none. The method fills in what it learns.
  std::string peer;
  std::string resource;  // "jobs/<id>"
  std::string queue;
  std::string work;  // a pipeline's name, a stage, "(inline)"
};

}  // namespace fermata::frontend
