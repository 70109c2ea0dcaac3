#include "plugins/postgres/session.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "plugins/postgres/rows.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::postgres {
namespace {

// libpq's parameters: everything that it would take from the environment or from files is said.
struct Parameters {
  void add(const char* name, std::string value) {
    names.push_back(name);
    values.push_back(std::move(value));
  }
  PGconn* start() const {
    std::vector<const char*> keys(names);
    std::vector<const char*> texts;
    for (const std::string& value : values) texts.push_back(value.c_str());
    keys.push_back(nullptr);
    texts.push_back(nullptr);
    return PQconnectStartParams(keys.data(), texts.data(), 0);
  }
  std::vector<const char*> names;
  std::vector<std::string> values;
};

Parameters parameters_of(const Config& config, const std::string& address) {
  Parameters out;
  out.add("host", config.host);
  if (!address.empty()) out.add("hostaddr", address);
  out.add("port", str_cat(config.port));
  out.add("dbname", config.database);
  out.add("user", config.user);
  out.add("password", config.password);
  out.add("passfile", "/dev/null");
  out.add("sslmode", config.tls);
  if (!config.ca_file.empty()) out.add("sslrootcert", config.ca_file);
  out.add("gssencmode", "disable");
  out.add("application_name", "fermata");
  out.add("client_encoding", "UTF8");
  // Also for the connection that a cancellation makes.
  out.add("tcp_user_timeout", "4000");
  out.add("options", str_cat("-c statement_timeout=", absl::ToInt64Milliseconds(config.time_max),
                             " -c bytea_output=hex -c idle_in_transaction_session_timeout=60000"));
  return out;
}

}  // namespace

void send_cancel(PGcancel* cancel) {
  char error[256];
  // If it does not arrive, the server's own statement_timeout ends the statement.
  (void)PQcancel(cancel, error, sizeof error);
}

Co<absl::StatusOr<std::unique_ptr<Session>>> Session::make(const Config& config,
                                                           Resolver& resolver) {
  std::string address;
  if (!config.host.starts_with('/')) {  // libpq would ask for the address itself, and wait
    const std::vector<Address> addresses = co_await Try(resolver.resolve(config.host, config.port));
    const std::string text = addresses.front().to_string();
    address = text.substr(0, text.rfind(':'));
    if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
  }
  std::unique_ptr<Session> session(new Session(parameters_of(config, address).start()));
  if (session->connection_ == nullptr)
    co_return absl::ResourceExhaustedError("postgres: no memory");
  co_await Try(session->connect());
  co_return std::move(session);
}

Co<absl::StatusOr<std::unique_ptr<Session>>> Session::open(const Config& config,
                                                           Resolver& resolver) {
  absl::StatusOr<std::unique_ptr<Session>> made =
      co_await timeout(config.connect_timeout, make(config, resolver));
  if (made.ok() || !absl::IsDeadlineExceeded(made.status())) co_return std::move(made);
  co_return absl::UnavailableError(str_cat("postgres at ", config.host, ": no connection after ",
                                           format_duration(config.connect_timeout),
                                           " (connect_timeout)"));
}

Co<absl::Status> Session::connect() {
  PGconn* connection = connection_.get();
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
         next != PGRES_POLLING_FAILED) {
    // libpq may go on with another socket after each step.
    const int fd = PQsocket(connection);
    absl::Status ready;
    if (next == PGRES_POLLING_READING) {
      ready = co_await readable(fd);
    } else {
      ready = co_await writable(fd);
    }
    if (!ready.ok()) co_return ready;
    next = PQconnectPoll(connection);
  }
  if (next != PGRES_POLLING_OK) co_return status_of_connection(connection, "cannot connect");
  if (PQsetnonblocking(connection, 1) != 0) co_return lost("set non-blocking");
  co_return absl::OkStatus();
}

absl::Status Session::lost(std::string_view what) const {
  return status_of_connection(connection_.get(), what);
}

Co<absl::Status> Session::flush() {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left < 0) co_return lost("write");
    if (left == 0) co_return absl::OkStatus();
    const absl::Status ready = co_await writable(PQsocket(connection_.get()));
    if (!ready.ok()) co_return ready;
    // The server may be waiting for us to read before it reads more.
    if (PQconsumeInput(connection_.get()) == 0) co_return lost("read");
  }
}

Co<absl::StatusOr<Session::Result>> Session::next() {
  while (PQisBusy(connection_.get()) != 0) {
    const absl::Status ready = co_await readable(PQsocket(connection_.get()));
    if (!ready.ok()) co_return ready;
    if (PQconsumeInput(connection_.get()) == 0) co_return lost("read");
  }
  co_return Result(PQgetResult(connection_.get()));
}

Co<absl::StatusOr<std::string>> Session::query(const Request& request) {
  const absl::Time begin = now();
  std::vector<const char*> values;
  for (const auto& value : request.parameters) values.push_back(value ? value->c_str() : nullptr);
  if (PQsendQueryParams(connection_.get(), request.sql.c_str(), static_cast<int>(values.size()),
                        nullptr, values.data(), nullptr, nullptr, 0) == 0) {
    co_return lost("send the statement");
  }
  (void)PQsetSingleRowMode(connection_.get());  // so that a limit is met before all is in memory
  co_await Try(flush());
  Rows rows(request.rows_max, request.bytes_max);
  std::string json;
  for (;;) {
    const Result result = co_await Try(next());
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK) {
      const absl::Status added = rows.add(result.get());
      if (!added.ok()) co_return added;
    }
    if (status == PGRES_SINGLE_TUPLE) {
      co_await yield_now();  // a million rows may be in the buffer
      continue;
    }
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
      const absl::Status failed = status_of_error(result.get());
      // Read to the end: the session can be used again, if it is still there.
      const absl::StatusOr<Result> last = co_await next();
      co_return failed;
    }
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      co_return absl::InvalidArgumentError(
          "postgres: COPY from or to the client is not possible here; use INSERT or SELECT");
    }
    json = rows.finish(result.get(), absl::ToInt64Milliseconds(now() - begin));
  }
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) {
    co_return absl::FailedPreconditionError(
        "postgres: the statement left a transaction open, which was rolled back; one call is one "
        "statement and its own transaction: use a function, or WITH, for more");
  }
  co_return json;
}

Co<absl::Status> Session::reset() {
  if (PQsendQuery(connection_.get(), "DISCARD ALL") == 0) co_return lost("reset");
  co_await Try(flush());
  for (;;) {
    const Result result = co_await Try(next());
    if (result == nullptr) co_return absl::OkStatus();
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) co_return status_of_error(result.get());
  }
}

bool Session::usable() const {
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) return false;
  char byte = 0;
  return ::recv(PQsocket(connection_.get()), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         errno == EAGAIN;
}

}  // namespace fermata::postgres
