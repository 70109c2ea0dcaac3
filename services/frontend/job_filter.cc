#include "services/frontend/job_filter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/config/nearest_name.h"
#include "services/config/utf8.h"

namespace fermata::frontend {
namespace {

constexpr const char* kFields = "state, pipeline, stage, queue or labels.KEY";

struct Token {
  enum Kind { kEnd, kWord, kQuoted, kSymbol } kind = kEnd;
  std::string text;
  size_t at = 0;  // from 1, in bytes
};

bool is_word_character(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '/' ||
         c == '-' || c == '@';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { advance(); }

  absl::StatusOr<JobFilter> filter() {
    while (true) {
      const absl::Status factor = parse_factor();
      if (!factor.ok()) return factor;
      if (token_.kind == Token::kEnd) return std::move(out_);
      if (!is_word("AND")) return wrong("expected AND or the end");
      advance();
    }
  }

 private:
  bool is_symbol(char c) const { return token_.kind == Token::kSymbol && token_.text[0] == c; }
  bool is_word(const char* word) const {
    return token_.kind == Token::kWord && token_.text == word;
  }

  absl::Status wrong(const std::string& what) const {
    const std::string got =
        token_.kind == Token::kEnd ? "the end" : absl::StrCat("'", token_.text, "'");
    return absl::InvalidArgumentError(
        absl::StrCat("at character ", token_.at, ": ", what, ", got ", got));
  }

  absl::Status parse_factor() {
    const bool bracket = is_symbol('(');
    if (bracket) advance();
    const bool states_before = !out_.states.empty();
    std::string first;
    absl::Status status = parse_condition(&first);
    if (status.ok() && first == "state" && states_before) {
      return wrong("a job has one state: two conditions on state are joined by OR");
    }
    while (status.ok() && is_word("OR")) {
      if (first != "state") return wrong("OR may only join conditions on state; expected AND");
      advance();
      std::string field;
      status = parse_condition(&field);
      if (status.ok() && field != "state") {
        return wrong("OR may only join conditions on state");
      }
    }
    if (!status.ok() || !bracket) return status;
    if (!is_symbol(')')) return wrong("expected ')'");
    advance();
    return absl::OkStatus();
  }

  absl::Status parse_condition(std::string* field) {
    if (is_word("NOT") || (token_.kind == Token::kWord && token_.text[0] == '-')) {
      return wrong("NOT is not supported; expected a field");
    }
    if (token_.kind != Token::kWord) {
      return wrong(absl::StrCat("expected a field: ", kFields));
    }
    const Token name = token_;
    *field = name.text;
    advance();
    if (!is_symbol('=')) return wrong("expected '=', the only comparison there is");
    advance();
    if (token_.kind != Token::kWord && token_.kind != Token::kQuoted) {
      return wrong(
          "expected a value; in double quotes when it has other characters than "
          "letters, digits and ._/-@");
    }
    const absl::Status status = take(name, token_.text);
    advance();
    return status;
  }

  absl::Status take(const Token& field, const std::string& value) {
    if (field.text == "state") return take_state(field, value);
    if (absl::StartsWith(field.text, "labels.") && field.text.size() > 7) {
      if (out_.labels.emplace(field.text.substr(7), value).second) return absl::OkStatus();
      return given_twice(field);
    }
    std::optional<std::string>* to = field.text == "pipeline" ? &out_.pipeline
                                     : field.text == "stage"  ? &out_.stage
                                     : field.text == "queue"  ? &out_.queue
                                                              : nullptr;
    if (to == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("at character ", field.at, ": unknown field '",
                                                     field.text, "', expected ", kFields));
    }
    if (to->has_value()) return given_twice(field);
    *to = value;
    return absl::OkStatus();
  }

  absl::Status take_state(const Token& field, const std::string& value) {
    const auto found = std::find(kJobStateNames.begin() + 1, kJobStateNames.end(), value);
    if (found == kJobStateNames.end()) {
      std::vector<std::string> known(kJobStateNames.begin() + 1, kJobStateNames.end());
      return absl::InvalidArgumentError(absl::StrCat(
          "at character ", field.at, ": unknown state '", value, "'", did_you_mean(value, known),
          "; expected one of ", absl::StrJoin(known, ", ")));
    }
    out_.states.push_back(static_cast<JobState>(found - kJobStateNames.begin()));
    return absl::OkStatus();
  }

  static absl::Status given_twice(const Token& field) {
    return absl::InvalidArgumentError(
        absl::StrCat("at character ", field.at, ": ", field.text, " is given twice"));
  }

  void advance() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    token_ = Token{Token::kEnd, "", at_ + 1};
    if (at_ == text_.size()) return;
    if (text_[at_] == '"') return advance_quoted();
    if (!is_word_character(text_[at_])) {
      token_.kind = Token::kSymbol;
      // A whole character, so that a message that quotes it stays text.
      do {
        token_.text += text_[at_++];
      } while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xC0) == 0x80);
      return;
    }
    token_.kind = Token::kWord;
    while (at_ < text_.size() && is_word_character(text_[at_])) token_.text += text_[at_++];
  }

  void advance_quoted() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      token_.text += text_[at_];
    }
    // An open quote is a symbol, so that whoever expects a value complains.
    token_.kind = at_ < text_.size() ? Token::kQuoted : Token::kSymbol;
    if (at_ < text_.size()) ++at_;
    if (token_.kind == Token::kSymbol) token_.text = "\"";
  }

  std::string_view text_;
  size_t at_ = 0;
  Token token_;
  JobFilter out_;
};

}  // namespace

absl::StatusOr<JobFilter> parse_job_filter(std::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at most ", kMaxFilterBytes, " bytes, got ", text.size()));
  }
  const size_t valid = utf8_valid_prefix(text);
  if (valid < text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("at character ", valid + 1, ": expected UTF-8 text"));
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return JobFilter{};
  return Parser(text).filter();
}

}  // namespace fermata::frontend
