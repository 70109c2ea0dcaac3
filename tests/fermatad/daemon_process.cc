#include "tests/fermatad/daemon_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

extern char** environ;

namespace fermata {
namespace {

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;) {
    out.append(buffer, static_cast<size_t>(got));
  }
  return out;
}

}  // namespace

TestFolder::TestFolder() {
  const char* parent = getenv("TEST_TMPDIR");
  path_ = std::string(parent != nullptr ? parent : "/tmp") + "/daemon-XXXXXX";
  EXPECT_NE(mkdtemp(path_.data()), nullptr);
  std::filesystem::create_directory(path_ + "/plugins");
  std::filesystem::create_directory(path_ + "/pipelines");
}

TestFolder::~TestFolder() { std::filesystem::remove_all(path_); }

std::string TestFolder::write(const std::string& name, const std::string& text) const {
  const std::string file = path_ + "/" + name;
  std::ofstream(file) << text;
  return file;
}

void TestFolder::add_plugin(const std::string& name) const {
  std::filesystem::copy_file("plugins/" + name + "/" + name + ".so",
                             path_ + "/plugins/" + name + ".so");
}

DaemonProcess::DaemonProcess(const std::vector<std::string>& arguments) {
  int out[2];
  int err[2];
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  const std::string program = "services/fermatad/fermatad";
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
  reader_ = std::thread([this] { errors_ = read_all(err_); });
}

DaemonProcess::~DaemonProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    wait();
  }
  close(out_);
  close(err_);
}

std::string DaemonProcess::read_line() {
  std::string line;
  char c = 0;
  while (read(out_, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

void DaemonProcess::signal(int number) const { EXPECT_EQ(kill(pid_, number), 0); }

int DaemonProcess::wait() {
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  reader_.join();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Addresses addresses_of(const std::string& greeting) {
  const auto between = [&](const std::string& before, const std::string& after) {
    const size_t from = greeting.find(before);
    if (from == std::string::npos) return std::string();
    const size_t begin = from + before.size();
    return greeting.substr(begin, greeting.find(after, begin) - begin);
  };
  return {between("gRPC on ", ","), between("http://", "/metrics")};
}

std::string scrape(const std::string& address) {
  const size_t colon = address.find(':');
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  const std::string answer = read_all(fd);
  close(fd);
  EXPECT_NE(answer.find(" 200 "), std::string::npos) << answer.substr(0, 100);
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace fermata
