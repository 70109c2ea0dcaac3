#include "plugins/postgres/rows.h"

#include <cmath>
#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "services/config/bytes.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::postgres {
namespace {

// Fixed numbers of PostgreSQL's built-in types (its catalog pg_type.dat).
enum : Oid {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kOid = 26,
  kJson = 114,
  kFloat4 = 700,
  kFloat8 = 701,
  kJsonb = 3802,
};

void append_bytea(std::string_view text, std::string* out) {
  // "\x" and hexadecimal digits: bytea_output is set for the session.
  const std::string bytes = absl::HexStringToBytes(for_absl(text.substr(2)));
  str_append(out, "{\"base64\":\"", absl::Base64Escape(bytes), "\"}");
}

void append_value(Oid type, std::string_view text, std::string* out) {
  switch (type) {
    case kBool:
      *out += text == "t" ? "true" : "false";
      return;
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid:
      *out += text;
      return;
    case kFloat4:
    case kFloat8:
      if (text.find_first_of("Nn") == std::string_view::npos) {  // NaN, Infinity
        *out += text;
        return;
      }
      break;
    case kJson:
    case kJsonb:
      // Nested deeper than JSON may be here, or a name twice: given as text.
      if (parse_json(text).ok()) {
        *out += text;
        return;
      }
      break;
    case kBytea:
      return append_bytea(text, out);
    default:
      break;
  }
  *out += json_quote(is_utf8(text) ? text : std::string_view("(not UTF-8)"));
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

absl::StatusCode code_of(std::string_view state) {
  struct Rule {
    std::string_view prefix;
    absl::StatusCode code;
  };
  static constexpr Rule kRules[] = {
      {"08", absl::StatusCode::kUnavailable},          // connection
      {"57P0", absl::StatusCode::kUnavailable},        // shutting down, starting up
      {"57014", absl::StatusCode::kDeadlineExceeded},  // statement_timeout, or cancelled
      {"53", absl::StatusCode::kResourceExhausted},
      {"40", absl::StatusCode::kAborted},      // serialization, deadlock
      {"55P03", absl::StatusCode::kAborted},   // a lock was not available
      {"58", absl::StatusCode::kUnavailable},  // the system under it
      {"XX", absl::StatusCode::kInternal},
      {"28", absl::StatusCode::kPermissionDenied},
      {"42501", absl::StatusCode::kPermissionDenied},
      {"23505", absl::StatusCode::kAlreadyExists},
      {"23", absl::StatusCode::kFailedPrecondition},
      {"25", absl::StatusCode::kFailedPrecondition},
      {"3D", absl::StatusCode::kFailedPrecondition},
      {"42P01", absl::StatusCode::kNotFound},
  };
  for (const Rule& rule : kRules) {
    if (state.starts_with(rule.prefix)) return rule.code;
  }
  return absl::StatusCode::kInvalidArgument;
}

}  // namespace

absl::Status Rows::add(const PGresult* result) {
  const int columns = PQnfields(result);
  if (count_ == 0) {
    std::set<std::string_view> names;
    for (int i = 0; i < columns; ++i) {
      if (names.insert(PQfname(result, i)).second) continue;
      return absl::InvalidArgumentError(str_cat("postgres: two columns are called '",
                                                std::string(PQfname(result, i)),
                                                "'; name one of them with AS"));
    }
  }
  for (int row = 0; row < PQntuples(result); ++row) {
    if (count_ >= rows_max_) {
      return absl::OutOfRangeError(
          str_cat("postgres: more than ", rows_max_, " rows (max_rows); ask for fewer with LIMIT"));
    }
    json_ += count_++ == 0 ? "{" : ",{";
    for (int i = 0; i < columns; ++i) {
      if (i != 0) json_ += ',';
      json_ += json_quote(PQfname(result, i));
      json_ += ':';
      if (PQgetisnull(result, row, i) != 0) {
        json_ += "null";
      } else {
        append_value(
            PQftype(result, i),
            {PQgetvalue(result, row, i), static_cast<std::size_t>(PQgetlength(result, row, i))},
            &json_);
      }
    }
    json_ += '}';
    if (json_.size() > bytes_max_) {
      return absl::OutOfRangeError(str_cat("postgres: ", count_, " rows are larger than ",
                                           format_bytes(bytes_max_),
                                           " (max_bytes); ask for fewer with LIMIT"));
    }
  }
  return absl::OkStatus();
}

std::string Rows::finish(const PGresult* result, std::int64_t elapsed_ms) {
  // PQcmdTuples takes it from a result that it could change, and does not.
  const std::string affected = PQcmdTuples(const_cast<PGresult*>(result));
  str_append(&json_, "],\"count\":", count_,
             ",\"command\":", json_quote(PQcmdStatus(const_cast<PGresult*>(result))),
             ",\"affected\":", affected.empty() ? "null" : affected, ",\"elapsed_ms\":", elapsed_ms,
             "}");
  return std::move(json_);
}

absl::Status status_of_error(const PGresult* result) {
  const std::string state = field(result, PG_DIAG_SQLSTATE);
  std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) {  // libpq's own: the connection is gone
    message = PQresultErrorMessage(result);
    absl::StripAsciiWhitespace(&message);
    return absl::UnavailableError(str_cat("postgres: ", utf8_preview(message, 300)));
  }
  const std::string position = field(result, PG_DIAG_STATEMENT_POSITION);
  return absl::Status(
      code_of(state),
      str_cat("postgres: ", utf8_preview(message, 300), " (", state, ")",
              position.empty() ? "" : str_cat(" at character ", position, " of the statement")));
}

absl::Status status_of_connection(const PGconn* connection, std::string_view what) {
  std::string message = PQerrorMessage(connection);
  absl::StripAsciiWhitespace(&message);
  const std::string text = str_cat("postgres: ", what, ": ", utf8_preview(message, 400));
  // libpq gives no SQLSTATE for a connection that was refused.
  for (const char* permanent : {"password", "authentication failed", "no pg_hba.conf entry",
                                "does not exist", "certificate", "SSL was required"}) {
    if (message.find(permanent) != std::string::npos) return absl::PermissionDeniedError(text);
  }
  return absl::UnavailableError(text);
}

}  // namespace fermata::postgres
