// The job state machine: which state may follow which.
//
//   SCHEDULED ──► PENDING ──► RUNNING ◄──► BACKING_OFF
//       │            │  ▲        │              │
//       │            ▼  │        │              │
//       │        SUSPENDED       ├──────────────┴──► CANCELLING
//       ▼            ▼           ▼                       ▼
//   CANCELLED, EXPIRED       SUCCEEDED, FAILED, EXPIRED, CANCELLED
//
// One table, and nobody sets a state but through it: a transition that is not in the table is a bug
// in the engine, never a condition to handle, so it aborts. Final states have no way out.
#pragma once

#include "services/store/job_state.h"

namespace fermata {

bool may_follow(JobState from, JobState to);
// Aborts on an illegal transition.
void check_transition(JobState from, JobState to);

}  // namespace fermata
