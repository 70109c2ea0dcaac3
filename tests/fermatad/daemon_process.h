// DaemonProcess: the real fermatad in a process of its own, with a folder of its own for its
// configuration, plugins and pipelines. What it prints to stderr is kept.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace fermata {

// A fresh folder, removed in the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  const std::string& path() const { return path_; }
  // Returns the path of the file.
  std::string write(const std::string& name, const std::string& text) const;
  // Copies a plugin that was built for this test into plugins/.
  void add_plugin(const std::string& name) const;

 private:
  std::string path_;
};

class DaemonProcess {
 public:
  explicit DaemonProcess(const std::vector<std::string>& arguments);
  // Kills it when it still runs.
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;

  // The next line of its stdout; empty at its end.
  std::string read_line();
  void signal(int number) const;
  // Its exit code, or 128 + the signal that ended it.
  int wait();
  // Everything it wrote to stderr; after wait().
  const std::string& errors() const { return errors_; }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string errors_;
  std::thread reader_;  // of stderr, so that the daemon never blocks on a full pipe
};

// Both addresses of its greeting.
struct Addresses {
  std::string grpc;
  std::string metrics;
};
Addresses addresses_of(const std::string& greeting);

// The body of GET /metrics.
std::string scrape(const std::string& address);

}  // namespace fermata
