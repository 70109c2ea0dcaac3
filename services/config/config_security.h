#pragma once

// The sections of fermata.yaml that say who may call, and how: tls, auth, audit, connections. Parts
// of config.cc.

#include "services/config/config.h"
#include "services/config/yaml_reader.h"

namespace fermata {

void read_tls(YamlReader tls, TlsConfig& out);
void read_auth(YamlReader auth, AuthConfig& out);
void read_audit(YamlReader audit, AuditConfig& out);
void read_connections(YamlReader connections, ConnectionsConfig& out);

// Refuses an address that other machines can reach unless what is said is encrypted and callers
// are checked, or the file says that it is meant so. After the sections above.
void check_public(YamlReader& reader, const Config& config);

// 127.0.0.0/8, [::1], localhost or a unix socket: nobody else can reach it.
bool is_loopback(std::string_view address);

}  // namespace fermata
