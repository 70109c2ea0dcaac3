#include "plugins/jq/program.h"

extern "C" {  // which the headers of jq 1.6 forget
#include <jq.h>
#include <jv.h>
}

#include <string_view>

#include "services/config/bytes.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::jq {
namespace {

// In front of every program, on its first line. An import can only come first, so there is none.
// What would reach out of the program is defined again; $ENV is bound before jq looks for it.
constexpr std::string_view kPrelude =
    "def env: {}; def debug: .; def debug(f): .; def stderr: .; def input_filename: null; "
    "def input: error(\"there is one input\"); def inputs: empty; "
    "def modulemeta: error(\"there are no modules\"); def get_search_list: []; "
    "def halt: error(\"halt is not possible here\"); def halt_error: halt; "
    "def halt_error(code): halt; {} as $ENV | .vars as $vars | .input | ";

// Takes it over.
std::string text_of(jv value) {
  const jv text = jv_get_kind(value) == JV_KIND_STRING ? value : jv_dump_string(value, 0);
  std::string out(jv_string_value(text),
                  static_cast<std::size_t>(jv_string_length_bytes(jv_copy(text))));
  jv_free(text);
  return out;
}

// The compiler complains in several messages; the first says it, and its first line is enough: the
// rest repeats the program.
void on_complaint(void* complaint, jv message) {
  auto* text = static_cast<std::string*>(complaint);
  std::string said = text_of(message);
  if (text->empty()) *text = said.substr(0, said.find('\n'));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Program>> Program::compile(const std::string& text) {
  std::unique_ptr<Program> program(new Program);
  program->jq_ = jq_init();
  if (program->jq_ == nullptr) return absl::ResourceExhaustedError("jq: no memory");
  jq_set_error_cb(program->jq_, &on_complaint, &program->complaint_);
  if (jq_compile(program->jq_, str_cat(kPrelude, text).c_str()) != 0) return program;
  return absl::InvalidArgumentError(str_cat("program: ", utf8_preview(program->complaint_, 300)));
}

Program::~Program() {
  if (jq_ != nullptr) jq_teardown(&jq_);
}

absl::StatusOr<std::string> Program::run(const std::string& input, const std::string& variables,
                                         const Limits& limits) {
  const std::string both = str_cat("{\"input\":", input, ",\"vars\":", variables, "}");
  const jv value = jv_parse_sized(both.data(), static_cast<int>(both.size()));
  if (!jv_is_valid(value)) {
    return absl::InvalidArgumentError(str_cat(
        "input: jq cannot read it: ", utf8_preview(text_of(jv_invalid_get_msg(value)), 300)));
  }
  ended_ = false;
  jq_start(jq_, value, 0);
  absl::StatusOr<std::string> out = collect(limits);
  if (!stop_.load()) ended_ = true;
  return out;
}

absl::Status Program::halted() const { return absl::AbortedError("jq: stopped"); }

absl::StatusOr<std::string> Program::collect(const Limits& limits) {
  std::string out = "{\"results\":[";
  std::int64_t count = 0;
  while (!stop_.load()) {
    jv result = jq_next(jq_);
    if (!jv_is_valid(result)) {
      if (!jv_invalid_has_msg(jv_copy(result))) {  // the end
        jv_free(result);
        if (stop_.load()) return halted();
        str_append(&out, "],\"count\":", count, "}");
        return out;
      }
      return absl::InvalidArgumentError(
          str_cat("jq: ", utf8_preview(text_of(jv_invalid_get_msg(result)), 300)));
    }
    if (++count > limits.results_max) {
      jv_free(result);
      return absl::OutOfRangeError(
          str_cat("jq: more than ", limits.results_max, " results (max_results)"));
    }
    const jv text = jv_dump_string(result, 0);
    if (count > 1) out += ',';
    out.append(jv_string_value(text),
               static_cast<std::size_t>(jv_string_length_bytes(jv_copy(text))));
    jv_free(text);
    if (out.size() > limits.bytes_max) {
      return absl::OutOfRangeError(str_cat("jq: the results are larger than ",
                                           format_bytes(limits.bytes_max), " (max_bytes)"));
    }
  }
  return halted();
}

void Program::halt() {
  stop_.store(true);
  jq_halt(jq_, jv_invalid(), jv_invalid());
}

}  // namespace fermata::jq
