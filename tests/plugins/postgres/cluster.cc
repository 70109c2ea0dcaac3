#include "tests/plugins/postgres/cluster.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/net/buffered_reader.h"

namespace fermata::postgres {
namespace {

constexpr std::size_t kOutputMax = 1 << 20;

std::string programs() {
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql")) {
    const std::string folder = version.path().string() + "/bin/";
    if (std::filesystem::exists(folder + "initdb")) return folder;
  }
  return "";
}

Co<absl::Status> run_to_end(std::vector<std::string> argv) {
  SubprocessOptions options;
  options.errors = Stdio::kPipe;
  options.directory = "/";
  absl::StatusOr<Subprocess> process = Subprocess::start(argv, options);
  if (!process.ok()) co_return process.status();
  Communicated all = co_await Try(process->communicate("", kOutputMax));
  if (all.status.ok()) co_return absl::OkStatus();
  co_return absl::InternalError(absl::StrCat(argv[0], ": ", all.status.to_string(), all.errors));
}

}  // namespace

std::vector<std::string> Cluster::as_user(std::vector<std::string> argv) const {
  argv.insert(argv.begin(), prefix_.begin(), prefix_.end());
  return argv;
}

Co<absl::Status> Cluster::find_user() {
  if (::geteuid() != 0) co_return absl::OkStatus();
  const passwd* user = ::getpwnam("postgres");
  if (user == nullptr) co_return absl::NotFoundError("no user postgres; run deploy/install-deps");
  const std::string name = absl::StrCat(user->pw_uid);
  prefix_ = {"setpriv", absl::StrCat("--reuid=", name), absl::StrCat("--regid=", user->pw_gid),
             "--clear-groups"};
  const std::vector<std::string> nothing = {"true"};
  const absl::Status other = co_await run_to_end(as_user(nothing));
  if (other.ok()) {
    EXPECT_EQ(::chown(folder_.c_str(), user->pw_uid, user->pw_gid), 0);
    co_return absl::OkStatus();
  }
  prefix_ = {"unshare", "--user", absl::StrCat("--map-user=", name)};
  co_return co_await run_to_end(as_user(nothing));
}

Co<absl::Status> Cluster::prepare(Cluster* self) {
  co_await Try(self->find_user());
  const std::string secret = self->folder_ + "/password";
  std::ofstream(secret) << kPassword;
  std::filesystem::permissions(secret, std::filesystem::perms(0644));
  const std::vector<std::string> argv =
      self->as_user({programs() + "initdb", "-D", self->folder_ + "/data", "-U", kUser, "-A",
                     "scram-sha-256", absl::StrCat("--pwfile=", secret), "--no-sync",
                     "--no-instructions", "--locale=C", "-E", "UTF8"});
  co_await Try(run_to_end(argv));
  co_return co_await self->start();
}

Co<absl::Status> Cluster::start() {
  SubprocessOptions options;
  options.output = Stdio::kNull;
  options.errors = Stdio::kPipe;
  options.directory = "/";
  const std::vector<std::string> argv = as_user(
      {programs() + "postgres", "-D", folder_ + "/data", "-k", folder_, "-c",
       "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=1MB", "-c",
       "log_statement=none", "-c", "log_min_messages=log", "-c", "log_min_error_statement=panic"});
  absl::StatusOr<Subprocess> server = Subprocess::start(argv, options);
  if (!server.ok()) co_return server.status();
  server_ = std::make_unique<Subprocess>(*std::move(server));
  BufferedReader log(server_->errors());
  for (;;) {
    const std::string line = co_await Try(log.read_line());
    if (line.find("ready to accept connections") != std::string::npos) co_return absl::OkStatus();
  }
}

Co<absl::Status> Cluster::stop() {
  const absl::Status sent = server_->send_signal(SIGQUIT);
  (void)co_await server_->wait();
  server_.reset();
  co_return sent;
}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::make() {
  std::unique_ptr<Cluster> cluster(new Cluster);
  // A short path: a socket's name has at most 107 bytes.
  std::string pattern = "/tmp/fermata-pg-XXXXXX";
  cluster->folder_ = ::mkdtemp(pattern.data());
  std::filesystem::permissions(cluster->folder_, std::filesystem::perms(0755));
  EpollLoop loop;
  Cluster* self = cluster.get();
  const absl::Status status = loop.run(&Cluster::prepare, self);
  if (!status.ok()) return status;
  return cluster;
}

Cluster::~Cluster() {
  if (server_ != nullptr) {
    EpollLoop loop;
    Cluster* self = this;
    const absl::Status stopped = loop.run(
        [](Cluster* cluster) -> Co<absl::Status> { co_return co_await cluster->stop(); }, self);
    EXPECT_TRUE(stopped.ok()) << stopped;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace fermata::postgres
