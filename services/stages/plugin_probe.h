// Probing: a plugin's code runs for the first time in a process of its own, with the configuration
// that it would get here: constructors, descriptor, init(), create() of every stage, one dry call
// of those that understand it, destroy, exit. Whatever it does there is a verdict and nothing else.
//
// The process is `fermata-plugin-host --probe` (services/plugin_host/probe.cc). It tells what it is
// about to do, line by line, so that a crash or a hang names its place:
//
//   at <what>\t<stage>    about to do it
//   ok                    all went well
//   no <text>             a refusal, as PLG-160
#ifndef SERVICES_STAGES_PLUGIN_PROBE_H_
#define SERVICES_STAGES_PLUGIN_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fermata {

struct ProbeOptions {
  std::string program;  // fermata-plugin-host; empty: nothing is probed
  absl::Duration limit = absl::Seconds(10);
};

// The descriptors that the process finds.
inline constexpr int kProbeConfigFd = 0;   // the plugin's configuration, JSON text, to its end
inline constexpr int kProbeVerdictFd = 3;  // where its lines go

struct ProbeSubject {
  std::string file;                      // as found in the folder; begins every text
  std::string path;                      // of our copy
  std::string id;                        // of its note
  std::string version;                   // likewise
  std::string config;                    // JSON text
  std::vector<std::string> environment;  // "NAME=value": the process has these, and no others
};

// Blocks until the process has ended, at most a little longer than the limit: worker thread.
//   PLG-161  it died: by which signal, and in what
//   PLG-162  it did not return within the limit, and was killed
//   PLG-163  it ended the process by itself, or left another one behind
//   PLG-164  the probe itself could not be run
//   others   what the process found: PLG-112 to 121, 150, 151, 160, 170
absl::Status probe_plugin(ProbeSubject subject, ProbeOptions options);

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_PROBE_H_
