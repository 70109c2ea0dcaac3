// Rows as JSON, and what PostgreSQL's errors mean for a job.
//
// Pure functions over libpq's results, any thread.
#ifndef FERMATA_PLUGINS_POSTGRES_ROWS_H_
#define FERMATA_PLUGINS_POSTGRES_ROWS_H_

#include <libpq-fe.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace fermata::postgres {

// Collects {"rows": [{"column": value, …}, …], …} one row at a time.
//
//   boolean -> true/false      smallint, integer, bigint, oid -> a number
//   real, double precision -> a number, or "NaN", "Infinity", "-Infinity"
//   json, jsonb -> the JSON itself      bytea -> {"base64": "…"}      NULL -> null
//   everything else, numeric among it -> PostgreSQL's own text
class Rows {
 public:
  Rows(std::int64_t rows_max, std::uint64_t bytes_max)
      : rows_max_(rows_max), bytes_max_(bytes_max) {}
  // OutOfRange: more than there may be. InvalidArgument: two columns have the same name.
  absl::Status add(const PGresult* result);
  std::int64_t count() const { return count_; }
  // What is left to say comes from the last result: the command, and how many rows it touched.
  std::string finish(const PGresult* result, std::int64_t elapsed_ms);

 private:
  const std::int64_t rows_max_;
  const std::uint64_t bytes_max_;
  std::int64_t count_ = 0;
  std::string json_ = "{\"rows\":[";
};

// By the SQLSTATE; without the server's DETAIL, which may show data of other rows.
absl::Status status_of_error(const PGresult* result);
// libpq's own, about a connection; it never holds the password.
absl::Status status_of_connection(const PGconn* connection, std::string_view what);

}  // namespace fermata::postgres

#endif  // FERMATA_PLUGINS_POSTGRES_ROWS_H_
