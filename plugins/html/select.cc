#include <cmath>

#include "absl/strings/str_cat.h"
#include "plugins/html/pages.h"
#include "plugins/html/stages.h"
#include "plugins/sdk/fields.h"

namespace fermata::html {
namespace {

Form form_named(Fields& fields) {
  const std::string name = fields.text("text", "collapse");
  if (name == "collapse") return Form::kText;
  if (name == "raw") return Form::kRaw;
  if (name == "html") return Form::kHtml;
  fields.complain("text", absl::StrCat("expected collapse, raw or html, got '", name, "'"));
  return Form::kText;
}

void append_answer(const Answer& answer, std::string* out) {
  if (const auto* text = std::get_if<std::string>(&answer)) {
    *out += json_quote(*text);
  } else if (const auto* truth = std::get_if<bool>(&answer)) {
    *out += *truth ? "true" : "false";
  } else {
    const double number = std::get<double>(answer);
    // XPath counts in doubles; JSON has no NaN and no infinity.
    if (!std::isfinite(number)) {
      *out += "null";
    } else if (number == std::floor(number) && std::fabs(number) < 1e15) {
      *out += std::to_string(static_cast<long long>(number));
    } else {
      append_json(JsonValue(number), out);
    }
  }
}

}  // namespace

absl::StatusOr<Limits> read_limits(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> config = parse_json(config_json);
  if (!config.ok()) return config.status();
  Fields fields(*config);
  Limits limits;
  limits.page_bytes_max = fields.bytes("max_page_bytes", limits.page_bytes_max);
  limits.answer_bytes_max = fields.bytes("max_answer_bytes", limits.answer_bytes_max);
  limits.elements_max = fields.integer("max_elements", limits.elements_max);
  if (!fields.status().ok()) return fields.status();
  return limits;
}

absl::StatusOr<std::string> select(std::string_view input, const Limits& limits, Stop stop) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Question question;
  question.xpath = fields.text("xpath");
  question.attribute = fields.text("attribute");
  question.form = form_named(fields);
  question.limit = static_cast<std::size_t>(fields.integer("limit", -1));
  const JsonValue* html = fields.any("html");
  if (html == nullptr) fields.complain("html", "missing; it is the page, or an array of pages");
  if (!fields.status().ok()) return fields.status();

  std::string out;
  const auto one = [&](std::string_view page, std::size_t, std::string* to) -> absl::Status {
    const absl::StatusOr<Document> parsed = Document::parse(page, limits, stop);
    if (!parsed.ok()) return parsed.status();
    const absl::StatusOr<std::vector<Answer>> answers = parsed->ask(question);
    if (!answers.ok()) return answers.status();
    *to += "[";
    for (std::size_t i = 0; i < answers->size(); ++i) {
      if (i > 0) *to += ",";
      append_answer((*answers)[i], to);
    }
    *to += "]";
    return absl::OkStatus();
  };
  const absl::Status status = for_each_page(*html, &out, one);
  if (!status.ok()) return status;
  return out;
}

}  // namespace fermata::html
