#pragma once

// Secrets by reference: ${file:/path} and ${env:NAME} inside any text of fermata.yaml, plugin
// configuration too.
//
//   plugins: { config: { http: { token: "${file:/run/secrets/token}" } } }
//   plugins: { config: { http: { header: "Bearer ${env:API_TOKEN}" } } }
//
// A file must not be readable by others nor writable by its group (private_file.h), is at most
// kMaxSecret bytes of UTF-8 text, and one line end at its end is dropped. "$${file:" is the text
// "${file:"; any other "${" is left alone. Keys are not looked at. What comes out is always text,
// never a number, and is looked at no further. A reference is resolved once, at start.
//
// The value is marked as a secret: no message shows it (YamlNode::describe), and all of them are
// handed to the caller so that logs can be redacted.

#include <memory>
#include <string>
#include <vector>

#include "services/config/yaml_reader.h"
#include "services/config/yaml_tree.h"

namespace fermata {

inline constexpr size_t kMaxSecret = size_t{64} << 10;

// `root` with every reference replaced; what cannot be resolved is an error at its place.
std::shared_ptr<const YamlNode> resolve_secrets(std::shared_ptr<const YamlNode> root,
                                                YamlErrors& errors,
                                                std::vector<std::string>* secrets);

}  // namespace fermata
