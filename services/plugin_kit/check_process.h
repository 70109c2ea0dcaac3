// A check in a process of its own: a plugin that crashes, exits or hangs is a verdict.
//
// The parent starts itself again (CheckOptions::child) with a page that both map: the child writes
// into it where the plugin is, and at the end the verdict. The child is found by its pidfd, so no
// other process can be mistaken for it. Any thread.
#ifndef SERVICES_PLUGIN_KIT_CHECK_PROCESS_H_
#define SERVICES_PLUGIN_KIT_CHECK_PROCESS_H_

#include "services/plugin_kit/check.h"

namespace fermata::kit {

Result run_in_child(const CheckOptions& options, const Check& check);

// The word that makes a program of this kind a child: its argument after CheckOptions::child.
inline constexpr char kChildWord[] = "--one-check";
// True when argv is a child's: `argv[at]` is kChildWord.
bool is_check_child(int argc, char** argv, int at);
// Runs the one check and gives the exit code.
int check_child_main(int argc, char** argv, int at);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_CHECK_PROCESS_H_
