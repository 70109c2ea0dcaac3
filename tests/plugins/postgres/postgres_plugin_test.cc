#include <gtest/gtest.h>

#include <utility>

#include "services/config/json.h"
#include "tests/plugins/postgres/cluster.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

using postgres::Cluster;

class PostgresPlugin : public HostFixture {
 public:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<Cluster>> made = Cluster::make();
    ASSERT_TRUE(made.ok()) << made.status();
    cluster = made->release();
  }
  static void TearDownTestSuite() { delete std::exchange(cluster, nullptr); }

  PostgresPlugin() { put_plugin("postgres.so", "plugins/postgres/postgres.so"); }
  void configure(const std::string& more = "", const std::string& password = Cluster::kPassword) {
    options.config["postgres"] = R"({"user":"tester","database":"postgres","password":)" +
                                 json_quote(password) + R"(,"host":)" +
                                 json_quote(cluster->folder()) + more + "}";
  }

  static Cluster* cluster;
};
Cluster* PostgresPlugin::cluster = nullptr;

Co<StageOutcome> ask(PluginHost& host, std::string sql, std::string more = "") {
  co_return co_await call_stage(host, "postgres/query",
                                R"({"sql":)" + json_quote(sql) + more + "}");
}

std::string text_of(const StageOutcome& out) {
  return out.status.ok() ? std::string(out.output.view()) : std::string(out.status.message());
}

// The rows alone.
std::string rows(const StageOutcome& out) {
  const std::string text = text_of(out);
  const std::size_t end = text.find(R"(],"count")");
  return text.starts_with(R"({"rows":[)") ? text.substr(8, end - 7) : text;
}

Co<absl::Status> has_types(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(
      host,
      "SELECT true AS b, 7::int2 AS i2, 9007199254740993 AS i8, 0.5::float8 AS f, 'NaN'::float4 AS "
      "nan, 1.10::numeric AS n, 'h\"é' AS t, NULL AS z, '{\"a\":[1]}'::jsonb AS j, "
      "'\\xff00'::bytea AS y, ARRAY[1,2] AS l, '2020-01-02'::date AS d");
  EXPECT_EQ(rows(out),
            R"([{"b":true,"i2":7,"i8":9007199254740993,"f":0.5,"nan":"NaN","n":"1.10","t":"h\"é",)"
            R"("z":null,"j":{"a": [1]},"y":{"base64":"/wA="},"l":"{1,2}","d":"2020-01-02"}])");
  EXPECT_NE(text_of(out).find(R"("count":1,"command":"SELECT 1","affected":1)"), std::string::npos);
  out = co_await ask(host, "SELECT 1 AS a WHERE false");
  EXPECT_EQ(rows(out), "[]");
  out = co_await ask(host, "SELECT generate_series(1,3) AS n");
  EXPECT_EQ(rows(out), R"([{"n":1},{"n":2},{"n":3}])");
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, RowsBecomeJsonOfTheirTypes) {
  configure();
  run(has_types);
}

Co<absl::Status> takes_parameters(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await ask(
      host,
      "SELECT $1::int + 1 AS n, $2::text AS t, $3::jsonb->'k' AS j, $4::bool AS b, $5::text AS z",
      R"_(,"parameters":[41,"'); DROP TABLE x; --",{"k":[1,"two"]},true,null])_");
  EXPECT_EQ(rows(out),
            R"_([{"n":42,"t":"'); DROP TABLE x; --","j":[1, "two"],"b":true,"z":null}])_");
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, ParametersAreValuesAndNeverSql) {
  configure();
  run(takes_parameters);
}

Co<absl::Status> judges(PluginHost& host, HostFixture&) {
  struct Case {
    const char* sql;
    absl::StatusCode code;
    bool retryable;
  };
  static constexpr Case kCases[] = {
      {"SELEKT 1", absl::StatusCode::kInvalidArgument, false},
      {"SELECT 1/0", absl::StatusCode::kInvalidArgument, false},
      {"SELECT * FROM none_such", absl::StatusCode::kNotFound, false},
      {"SELECT 1 AS a, 2 AS a", absl::StatusCode::kInvalidArgument, false},
      {"SELECT 1; SELECT 2", absl::StatusCode::kInvalidArgument, false},
      {"BEGIN", absl::StatusCode::kFailedPrecondition, false},
      {"COPY pg_class TO STDOUT", absl::StatusCode::kInvalidArgument, false},
      {"DO $$BEGIN RAISE serialization_failure; END$$", absl::StatusCode::kAborted, true},
      {"DO $$BEGIN RAISE unique_violation; END$$", absl::StatusCode::kAlreadyExists, false},
      {"DO $$BEGIN RAISE too_many_connections; END$$", absl::StatusCode::kResourceExhausted, true},
      {"SELECT pg_terminate_backend(pg_backend_pid())", absl::StatusCode::kUnavailable, true},
  };
  for (const Case& each : kCases) {
    StageOutcome out = co_await ask(host, each.sql);
    EXPECT_EQ(out.status.code(), each.code) << each.sql << ": " << out.status;
    EXPECT_EQ(out.retryable, each.retryable) << each.sql;
    out = co_await ask(host, "SELECT 1 AS a");
    EXPECT_EQ(rows(out), R"([{"a":1}])") << "after " << each.sql;
  }
  const StageOutcome out = co_await ask(host, "SELEKT 1");
  EXPECT_EQ(text_of(out),
            "postgres: syntax error at or near \"SELEKT\" (42601) at character 1 of the statement");
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, ErrorsSayWhetherToTryAgainAndTheNextCallIsWell) {
  configure(R"(,"max_connections":1)");
  run(judges);
}

Co<absl::Status> forgets(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, "SELECT set_config('my.secret', 'x', false) AS s");
  EXPECT_EQ(rows(out), R"([{"s":"x"}])");
  out = co_await ask(host, "SELECT current_setting('my.secret', true) AS s, pg_backend_pid() AS p");
  EXPECT_TRUE(rows(out).starts_with(R"([{"s":"",)") || rows(out).starts_with(R"([{"s":null,)"))
      << rows(out);
  const std::string before = rows(out).substr(rows(out).find("\"p\""));
  out =
      co_await ask(host, "SELECT current_setting('statement_timeout') AS t, pg_backend_pid() AS p");
  EXPECT_TRUE(rows(out).starts_with(R"([{"t":"5min",)")) << rows(out);
  EXPECT_EQ(rows(out).substr(rows(out).find("\"p\"")), before) << "it was one connection";
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, ASessionForgetsTheCallBefore) {
  configure(R"(,"max_connections":1)");
  run(forgets);
}

Co<absl::Status> is_bounded(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, "SELECT generate_series(1, 1000000000) AS n");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(text_of(out), "postgres: more than 10 rows (max_rows); ask for fewer with LIMIT");
  out = co_await ask(host, "SELECT repeat('x', 500) AS t FROM generate_series(1, 9)");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_NE(text_of(out).find("larger than 1KiB (max_bytes)"), std::string::npos) << out.status;
  out = co_await ask(host, "SELECT 1 AS a", R"(,"timeout":"6m")");
  EXPECT_NE(text_of(out).find("the limit is 5m"), std::string::npos) << out.status;
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, RowsBytesAndTimeHaveLimits) {
  configure(R"(,"max_rows":10,"max_bytes":"1KiB")");
  run(is_bounded);
}

// Until no statement but this one runs: what was cancelled is over.
Co<void> until_calm(PluginHost& host) {
  std::string running = "";
  while (running != R"([{"n":0}])") {
    const StageOutcome out = co_await ask(
        host,
        "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = "
        "'active' AND pid <> pg_backend_pid()");
    running = rows(out);
  }
}
Co<void> until_asleep(PluginHost& host) {
  std::string sleeping = "";
  while (sleeping != R"([{"n":1}])") {
    const StageOutcome out = co_await ask(
        host, "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    sleeping = rows(out);
  }
}

Co<absl::Status> cancel_sleep(TaskGroup& group, PluginHost& host) {
  const Task<StageOutcome> task =
      group.spawn(ask, std::ref(host), "SELECT pg_sleep(1000) AS s", "");
  co_await until_asleep(host);
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_await until_calm(host);
  co_return absl::OkStatus();
}
Co<absl::Status> cancels(PluginHost& host, HostFixture&) {
  co_return co_await with_group(cancel_sleep, host);
}
TEST_F(PostgresPlugin, CancelStopsTheStatementInTheServer) {
  configure(R"(,"max_connections":2)");
  run(cancels);
}

Co<absl::Status> times_out(PluginHost& host, HostFixture&) {
  const StageOutcome out =
      co_await ask(host, "SELECT pg_sleep(1000) AS s", R"(,"timeout":"300ms")");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(out.retryable);
  EXPECT_EQ(text_of(out), "postgres: not done after 300ms (timeout); the statement was cancelled");
  co_await until_calm(host);
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, TheTimeoutStopsTheStatementInTheServer) {
  configure(R"(,"max_connections":1)");
  run(times_out);
}

Co<void> count_ok(PluginHost& host, int* count) {
  const StageOutcome out = co_await ask(host, "SELECT 1 AS a");
  *count += out.status.ok() ? 1 : 0;
}
Co<absl::Status> ask_many(TaskGroup& group, PluginHost& host, int* count) {
  for (int i = 0; i < 100; ++i) (void)group.spawn(count_ok, std::ref(host), count);
  co_return absl::OkStatus();
}
Co<absl::Status> shares(PluginHost& host, HostFixture&) {
  int count = 0;
  const absl::Status status = co_await with_group(ask_many, host, &count);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(count, 100);
  const StageOutcome out = co_await ask(
      host, "SELECT count(*) <= 2 AS few FROM pg_stat_activity WHERE application_name = 'fermata'");
  EXPECT_EQ(rows(out), R"([{"few":true}])");
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, AHundredCallsShareTwoConnections) {
  configure(R"(,"max_connections":2)");
  run(shares);
}

Co<absl::Status> is_refused(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await ask(host, "SELECT 1 AS a");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kPermissionDenied) << out.status;
  EXPECT_FALSE(out.retryable);
  EXPECT_EQ(text_of(out).find("wrong-one"), std::string::npos) << out.status;
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, AWrongPasswordIsPermanentAndNeverShown) {
  configure("", "wrong-one");
  run(is_refused);
}

Co<absl::Status> survives(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, "SELECT 1 AS a");
  EXPECT_TRUE(out.status.ok()) << out.status;
  co_await Try(PostgresPlugin::cluster->stop());
  out = co_await ask(host, "SELECT 1 AS a");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  EXPECT_TRUE(out.retryable);
  co_await Try(PostgresPlugin::cluster->start());
  out = co_await ask(host, "SELECT 1 AS a");
  EXPECT_TRUE(out.status.ok()) << out.status;
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, AServerThatComesBackIsUsedAgain) {
  configure();
  run(survives);
}

Co<absl::Status> has_no_host(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await ask(host, "SELECT 1");
  EXPECT_NE(text_of(out).find("set plugins.config.postgres.host"), std::string::npos);
  EXPECT_FALSE(out.retryable);
  co_return absl::OkStatus();
}
TEST_F(PostgresPlugin, WithoutAHostItLoadsAndSaysHowToConfigureIt) { run(has_no_host); }

}  // namespace
}  // namespace fermata
