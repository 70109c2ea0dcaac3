// fermata-plugin-host: runs one plugin in a process of its own, for fermatad.
//
// The first argument says what for; the rest is that mode's own. Of no use by hand: what it talks
// to is on descriptors that its parent prepared.
#include <cstdio>
#include <string_view>

#include "services/plugin_host/probe.h"
#include "services/plugin_host/serve.h"

namespace fermata {
namespace {

struct Mode {
  std::string_view name;
  int (*run)(int argc, char** argv);
};
constexpr Mode kModes[] = {
    {"--probe", &probe_main},
    {"--serve", &serve_main},
};

int plugin_host_main(int argc, char** argv) {
  for (const Mode& mode : kModes) {
    if (argc > 1 && argv[1] == mode.name) return mode.run(argc, argv);
  }
  std::fprintf(stderr,
               "fermata-plugin-host: started by fermatad, for plugins in a process of their own; "
               "not for use by hand\n");
  return 2;
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) { return fermata::plugin_host_main(argc, argv); }
