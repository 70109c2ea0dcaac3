#pragma once

// JSON out of `fermata`: what --json prints, and documents indented for people.
//
// Payloads are pasted as they came, never parsed and printed anew, so that no number changes.

#include <string>
#include <string_view>

namespace fermata::v1 {
class Job;
class JobEvent;
class Pipeline;
class Plugin;
}  // namespace fermata::v1

namespace fermata::cli {

// One compact JSON document each, field names as in the proto files, times in RFC 3339, fields that
// are not set left out.
std::string job_json(const v1::Job& job);
std::string event_json(const v1::JobEvent& event);
std::string pipeline_json(const v1::Pipeline& pipeline);
std::string plugin_json(const v1::Plugin& plugin);

// Valid JSON with line breaks and two spaces a level; every token stays as it was. Text that is not
// valid JSON comes out as some text, never an error.
std::string indent_json(std::string_view text);

}  // namespace fermata::cli
