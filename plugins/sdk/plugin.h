// FERMATA_PLUGIN(id, version, Stage...): the note, the descriptor and the one exported symbol of a
// plugin.
//
// Use it once, in one source file. For each stage class it makes the ABI's functions: create,
// start, resume, finish, ... which forward to the instance's own event loop (PluginLoop).
#ifndef PLUGINS_SDK_PLUGIN_H_
#define PLUGINS_SDK_PLUGIN_H_

#include "plugins/abi/fermata_abi.h"

#define FERMATA_PLUGIN(ID, VERSION, ...)                             \
  FERMATA_NOTE(ID, VERSION, "cpp 1.0", 0);                           \
  extern "C" FERMATA_EXPORT const fermata_plugin* fermata_plugin_v1( \
      const fermata_host* host) noexcept {                           \
    return ::fermata::sdk::describe<__VA_ARGS__>(host, ID, VERSION); \
  }

#endif  // PLUGINS_SDK_PLUGIN_H_
