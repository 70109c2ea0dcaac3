// Session: one connection to PostgreSQL, through libpq's non-blocking calls.
//
// Loop thread only; one statement at a time. A session that was left in the middle of a statement,
// or in a transaction, is good for nothing: its lease is let go without keep(), and PostgreSQL
// rolls back.
#ifndef FERMATA_PLUGINS_POSTGRES_SESSION_H_
#define FERMATA_PLUGINS_POSTGRES_SESSION_H_

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/postgres/options.h"
#include "services/async/async.h"
#include "services/async/net/resolve.h"

namespace fermata::postgres {

// A way to stop a statement that needs neither the session nor its thread.
struct FreeCancel {
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};
using CancelHandle = std::unique_ptr<PGcancel, FreeCancel>;
// Any thread; blocks for a connection and a message, for some seconds at most.
void send_cancel(PGcancel* cancel);

class Session {
 public:
  // Wakes when it is signed in. Unavailable: nobody answers, or not within config.connect_timeout;
  // PermissionDenied: not with this user and password. On cancel: at once, the socket is closed. On
  // shutdown: as cancelled. The references outlive it.
  static Co<absl::StatusOr<std::unique_ptr<Session>>> open(const Config& config,
                                                           Resolver& resolver);

  // Wakes with the JSON of the result. Errors: rows.h. On cancel: at once; busy() then tells
  // whether the server is still at it. On shutdown: as cancelled.
  Co<absl::StatusOr<std::string>> query(const Request& request);
  // Forgets what earlier statements set: settings, temporary tables, locks, LISTEN.
  Co<absl::Status> reset();

  bool busy() const { return PQtransactionStatus(connection_.get()) == PQTRANS_ACTIVE; }
  // Outside a transaction, and nothing has come since: not even the end.
  bool usable() const;
  CancelHandle cancel_handle() const { return CancelHandle(PQgetCancel(connection_.get())); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;

  explicit Session(PGconn* connection) : connection_(connection) {}
  static Co<absl::StatusOr<std::unique_ptr<Session>>> make(const Config& config,
                                                           Resolver& resolver);
  Co<absl::Status> connect();
  Co<absl::Status> flush();
  // The next result of the statement under way; null after the last.
  Co<absl::StatusOr<Result>> next();
  absl::Status lost(std::string_view what) const;

  std::unique_ptr<PGconn, Finish> connection_;
};

}  // namespace fermata::postgres

#endif  // FERMATA_PLUGINS_POSTGRES_SESSION_H_
