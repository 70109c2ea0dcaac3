#include "services/plugin_kit/process_facts.h"

#include <dirent.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "services/config/str_cat.h"

extern char** environ;

namespace fermata::kit {
namespace {

size_t entries(const char* folder) {
  size_t count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    (void)entry;
    ++count;
  }
  return count;
}

size_t resident_bytes() {
  size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessFacts ProcessFacts::now() {
  ProcessFacts facts;
  facts.threads = entries("/proc/self/task");
  facts.descriptors = entries("/proc/self/fd");
  facts.resident_bytes = fermata::kit::resident_bytes();
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action{};
    const bool known = ::sigaction(signal, nullptr, &action) == 0;
    facts.handlers.push_back(known && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
  }
  facts.locale = ::setlocale(LC_ALL, nullptr);
  std::error_code ignored;
  facts.folder = std::filesystem::current_path(ignored).string();
  for (char** entry = environ; *entry != nullptr; ++entry)
    str_append(&facts.environment, *entry, "\n");
  facts.mask = ::umask(0);
  ::umask(facts.mask);
  return facts;
}

std::vector<std::string> ProcessFacts::changes_since(const ProcessFacts& before) const {
  std::vector<std::string> changes;
  if (threads != before.threads) {
    changes.push_back(str_cat("threads ", before.threads, " -> ", threads));
  }
  if (descriptors != before.descriptors) {
    changes.push_back(str_cat("descriptors ", before.descriptors, " -> ", descriptors));
  }
  for (size_t i = 0; i < handlers.size(); ++i) {
    if (handlers[i] == before.handlers[i]) continue;
    changes.push_back(str_cat("a handler for signal ", i + 1));
  }
  if (locale != before.locale) {
    changes.push_back(str_cat("locale ", before.locale, " -> ", locale));
  }
  if (folder != before.folder) {
    changes.push_back(str_cat("working folder ", before.folder, " -> ", folder));
  }
  if (environment != before.environment) changes.push_back("the environment");
  if (mask != before.mask) changes.push_back("the umask");
  return changes;
}

}  // namespace fermata::kit
