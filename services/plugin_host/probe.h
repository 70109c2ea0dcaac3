// fermata-plugin-host --probe PATH FILE: runs a plugin once, for services/stages/plugin_probe.h.
#pragma once

namespace fermata {

// The plugin's configuration comes on descriptor 0, the verdict goes to descriptor 3. Gives the
// exit code: 0, also when the verdict is a refusal.
int probe_main(int argc, char** argv);

}  // namespace fermata
