// PlantedBug: bugs that are put in on purpose, so that the test rigs can be seen to find what they
// are there for.
//
//   tests/planted/run                                        every bug, every rig, a table
//   bazel build --define=planted_bug=kSkipSync //…           that one
//   bazel build --define=planted_bug=kByEnvironment //…      the one that FERMATA_PLANTED_BUG names
//
// In every other build kPlantedBug is kNone, planted() is false at compile time, and nothing of any
// bug is in the program; tests/config/planted_bug_test.cc holds that. A daemon that has one says so
// when it starts. No state; any thread.
#pragma once

#include <cstdlib>
#include <string_view>
#include <type_traits>

#include "services/config/planted_bug_choice.h"

namespace fermata {

enum class PlantedBug {
  kNone,
  kByEnvironment,
  kSkipSync,            // commits are not synced
  kAnswerBeforeCommit,  // a durable write is answered before the disk has it
  kGoOnAfterSyncError,  // a failed sync is forgotten, and the store writes on
  kServeDamage,         // a record's checksum is not looked at
  kDropCancelEvent,     // watchers are not told that a job was told to stop
  kLoseStageOutput,     // what finished stages gave is lost at recovery: they run again
  kEndTwice,            // an end is told before it is stored: after a crash there is another one
  kForgetRequestIds,    // a request id is known only while its job is in memory
  kForgetTimers,        // deadlines are lost at recovery
  kEnterBeforeStored,   // a stage that may begin only once does before the store knows of it
  kReuseSequences,      // at recovery the events go on where the store was, not where readers were
};

inline constexpr PlantedBug kPlantedBug = PlantedBug::FERMATA_PLANTED_BUG;
#undef FERMATA_PLANTED_BUG

// clang-format off
inline constexpr std::string_view kPlantedBugNames[] = {
    "kNone", "kByEnvironment", "kSkipSync", "kAnswerBeforeCommit", "kGoOnAfterSyncError",
    "kServeDamage", "kDropCancelEvent", "kLoseStageOutput", "kEndTwice", "kForgetRequestIds",
    "kForgetTimers", "kEnterBeforeStored", "kReuseSequences"};
// clang-format on

inline bool named_by_environment(PlantedBug bug) {
  static const char* const kName = std::getenv("FERMATA_PLANTED_BUG");
  return kName != nullptr && kPlantedBugNames[static_cast<int>(bug)] == kName;
}

constexpr bool planted(PlantedBug bug) {
  const bool fixed = kPlantedBug != PlantedBug::kByEnvironment;
  return fixed || std::is_constant_evaluated() ? bug == kPlantedBug : named_by_environment(bug);
}

}  // namespace fermata
