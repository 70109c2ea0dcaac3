// What plugins count for themselves, as Prometheus families:
// fermata_plugin_<plugin>_<name>{stage=,...}.
//
// On the loop, at scrape. The plugin's short name is part of the family's name, so no plugin can
// get into the way of another, or of the server's own families; two stages of one plugin may share
// a family.
#pragma once

#include "services/metrics/families.h"
#include "services/stages/plugin_host.h"

namespace fermata {

// Reloads, by how they ended.
void add_reload_metrics(const PluginHost& host, Families& families);

void add_plugin_metrics(const PluginHost& host, Families& families);

// What the server counts of the processes of isolated plugins.
void add_plugin_process_metrics(const PluginHost& host, Families& families);

}  // namespace fermata
