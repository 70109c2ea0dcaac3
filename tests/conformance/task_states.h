// The exhaustive product over the states of a task: what is varied, and what must come of it.
//
// tokio's task_combinations.rs has the idea: list every choice, try all combinations, and let one
// function say what is right. Here the choices are what the task does, what becomes of its handle,
// when it is cancelled, and what its group does meanwhile.
#ifndef TESTS_CONFORMANCE_TASK_STATES_H_
#define TESTS_CONFORMANCE_TASK_STATES_H_

#include <string>

namespace fermata {

// What the task does when the moment of the cancel comes.
enum class Doing { kUnstarted, kValue, kError, kThrows, kWaits, kShielded, kOffloaded, kDone };
inline constexpr Doing kEveryDoing[] = {
    Doing::kUnstarted, Doing::kValue,    Doing::kError,     Doing::kThrows,
    Doing::kWaits,     Doing::kShielded, Doing::kOffloaded, Doing::kDone,
};

// What becomes of the handle.
enum class Handle { kKept, kDropped, kCopied, kAwaitedBefore, kAwaitedAfter, kAwaitedTwice };
inline constexpr Handle kEveryHandle[] = {
    Handle::kKept,          Handle::kDropped,      Handle::kCopied,
    Handle::kAwaitedBefore, Handle::kAwaitedAfter, Handle::kAwaitedTwice,
};

enum class Cancel { kNone, kBeforeStart, kWhileWaiting, kSameStepAsWakeUp, kAfterEnd, kTwice };
inline constexpr Cancel kEveryCancel[] = {
    Cancel::kNone,     Cancel::kBeforeStart, Cancel::kWhileWaiting, Cancel::kSameStepAsWakeUp,
    Cancel::kAfterEnd, Cancel::kTwice,
};

enum class Group { kOpen, kCancelledBefore, kCancelledAfter, kBodyEnded };
inline constexpr Group kEveryGroup[] = {
    Group::kOpen,
    Group::kCancelledBefore,
    Group::kCancelledAfter,
    Group::kBodyEnded,
};

struct Combination {
  Doing doing;
  Handle handle;
  Cancel cancel;
  Group group;
};

enum class End { kValue, kError, kException, kCancelled };

inline std::string to_string(const Combination& all) {
  return "doing " + std::to_string(static_cast<int>(all.doing)) + ", handle " +
         std::to_string(static_cast<int>(all.handle)) + ", cancel " +
         std::to_string(static_cast<int>(all.cancel)) + ", group " +
         std::to_string(static_cast<int>(all.group));
}

// How the task must end. From the rules of scope.h alone: a request acts at suspensions; a wake-up
// that was given stays; a shield holds it up, and it then acts at the next suspension.
inline End oracle(const Combination& all) {
  if (all.group == Group::kCancelledBefore) return End::kCancelled;  // never started
  if (all.cancel == Cancel::kBeforeStart) return End::kCancelled;
  // The group is cancelled at the moment at which kWhileWaiting cancels the task.
  const bool cut = all.cancel == Cancel::kWhileWaiting || all.cancel == Cancel::kTwice ||
                   all.group == Group::kCancelledAfter;
  const bool woken_and_cut = all.cancel == Cancel::kSameStepAsWakeUp;
  switch (all.doing) {
    case Doing::kUnstarted:
      // Not begun when the cut comes: it has not had its first step.
      return cut || woken_and_cut ? End::kCancelled : End::kValue;
    case Doing::kDone:
      return End::kValue;
    case Doing::kValue:
      return cut ? End::kCancelled : End::kValue;
    case Doing::kError:
      return cut ? End::kCancelled : End::kError;
    case Doing::kThrows:
      return cut ? End::kCancelled : End::kException;
    case Doing::kWaits:
    case Doing::kShielded:
    case Doing::kOffloaded:
      // These suspend once more after they were woken.
      return cut || woken_and_cut ? End::kCancelled : End::kValue;
  }
  return End::kValue;
}

}  // namespace fermata

#endif  // TESTS_CONFORMANCE_TASK_STATES_H_
