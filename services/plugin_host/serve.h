// --serve: load the plugin, run its stages, until the server says close or goes away.
#ifndef SERVICES_PLUGIN_HOST_SERVE_H_
#define SERVICES_PLUGIN_HOST_SERVE_H_

namespace fermata {

// Descriptors 3 to 5 are the socket, the crash page and what becomes stderr.
int serve_main(int argc, char** argv);

}  // namespace fermata

#endif  // SERVICES_PLUGIN_HOST_SERVE_H_
