// What fermata.yaml says of the front end, as the front end takes it. A pure function.
#pragma once

#include "services/config/config.h"
#include "services/frontend/server.h"

namespace fermata {

frontend::ServerOptions server_options(const Config& config);

}  // namespace fermata
