// The JSON Schemas of the http stages: what the server checks before a call, and shows to people.
#ifndef FERMATA_PLUGINS_HTTP_SCHEMAS_H_
#define FERMATA_PLUGINS_HTTP_SCHEMAS_H_

#include <string>

namespace fermata::http {

inline constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "user_agent": {"type": "string", "minLength": 1, "default": "fermata-http/1.0"},
    "max_connections": {"type": "integer", "minimum": 1, "default": 512},
    "max_connections_per_host": {"type": "integer", "minimum": 1, "default": 64},
    "max_bytes": {
      "type": ["string", "integer"], "default": "8MiB",
      "description": "the largest body, after decompression; a call may ask for less"
    },
    "private_networks": {
      "enum": ["allow", "deny"], "default": "allow",
      "description": "whether loopback, private and link-local addresses may be connected to"
    },
    "allow_networks": {"type": "array", "items": {"type": "string"}, "default": []},
    "deny_networks": {"type": "array", "items": {"type": "string"}, "default": []},
    "ca_file": {"type": "string", "description": "PEM certificates to trust, not the system's"},
    "insecure": {
      "type": "boolean", "default": false, "description": "do not check certificates: for tests"
    },
    "proxy": {"type": "string", "description": "the environment's proxy variables are ignored"},
    "http2": {"type": "boolean", "default": true}
  }
})";

// What get and request have in common.
inline constexpr char kCommonInput[] = R"(
    "url": {"type": "string", "minLength": 1, "description": "http:// or https://"},
    "query": {
      "type": "object",
      "description": "added to the URL's query, escaped; an array repeats its name"
    },
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "timeout": {"type": "string", "default": "30s", "description": "for all of it"},
    "connect_timeout": {"type": "string", "default": "10s"},
    "max_bytes": {"type": ["string", "integer"], "description": "at most the server's own limit"},
    "max_redirects": {"type": "integer", "minimum": 0, "maximum": 50, "default": 10},
    "expect": {
      "enum": ["success", "any"], "default": "success",
      "description": "success: a status of 400 or more is an error; any: it is a result"
    },
    "read": {
      "enum": ["auto", "text", "base64", "none"], "default": "auto",
      "description": "how the body is given: body as UTF-8 text, or body_base64"
    })";

inline constexpr char kRequestOnlyInput[] = R"(,
    "method": {"type": "string", "minLength": 1, "default": "GET"},
    "body": {"type": "string", "description": "what is sent, as text"},
    "body_base64": {"type": "string", "description": "what is sent, as bytes"},
    "json": {"description": "what is sent, as JSON, with its Content-Type"})";

inline std::string input_schema(const char* more) {
  return std::string(
             R"({"type": "object", "additionalProperties": false, "required": ["url"],
  "properties": {)") +
         kCommonInput + more + "}}";
}

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_SCHEMAS_H_
