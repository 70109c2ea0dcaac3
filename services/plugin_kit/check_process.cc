#include "services/plugin_kit/check_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "services/async/process/reap.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/plugin_kit/subject.h"
#include "services/stages/file_descriptor.h"

extern char** environ;

namespace fermata::kit {
namespace {

constexpr size_t kPlaceSize = 512;
constexpr size_t kWhySize = 2048;
constexpr int kPageFd = 3;  // in the child

// Shared by parent and child. Texts end with a NUL.
struct Page {
  char place[kPlaceSize];
  uint32_t done;
  uint32_t outcome;
  char why[kWhySize];
};

Page* map_page(int fd) {
  void* map = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return map == MAP_FAILED ? nullptr : static_cast<Page*>(map);
}

template <size_t kSize>
void put(char (&field)[kSize], std::string_view text) {
  const size_t size = std::min(text.size(), kSize - 1);
  std::memcpy(field, text.data(), size);
  field[size] = '\0';
}

std::string text_of(const char* field, size_t size) { return {field, ::strnlen(field, size)}; }

// The last line the child wrote to stderr.
std::string last_words(int fd) {
  char tail[512];
  const off_t end = ::lseek(fd, 0, SEEK_END);
  const off_t from = end > static_cast<off_t>(sizeof tail) ? end - sizeof tail : 0;
  const ssize_t got = ::pread(fd, tail, sizeof tail, from);
  std::string_view text(tail, got > 0 ? static_cast<size_t>(got) : 0);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  text = text.substr(text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1);
  return text.empty() ? "" : str_cat("; it said: ", utf8_preview(text, 200));
}

std::string in_place(const Page& page) {
  const std::string place = text_of(page.place, sizeof page.place);
  return place.empty() ? " before the plugin was loaded" : str_cat(" in ", place);
}

std::string hint_for(int signal) {
  if (signal == SIGSEGV || signal == SIGBUS) {
    return " - a use after release, a write after emit(), or a plain wild pointer";
  }
  if (signal == SIGABRT) return " - an assertion, a panic or an exception that reached the edge";
  return "";
}

Result judge(const Page& page, std::optional<int> ended, int stderr_fd) {
  if (!ended.has_value()) {
    return fail(str_cat("ended", in_place(page),
                        ", and another process that it let trace itself keeps how"));
  }
  const int wait_status = *ended;
  if (WIFEXITED(wait_status) && page.done != 0) {
    const auto outcome = static_cast<Outcome>(std::min<uint32_t>(page.outcome, 3));
    std::string why = text_of(page.why, sizeof page.why);
    // Of init() nothing else says why.
    if (outcome == Outcome::kFail) why += last_words(stderr_fd);
    return {outcome, std::move(why)};
  }
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* name = ::sigabbrev_np(signal);
    return fail(str_cat("died with SIG", name != nullptr ? name : "?", in_place(page),
                        hint_for(signal), last_words(stderr_fd)));
  }
  return fail(str_cat("ended the process with exit code ", WEXITSTATUS(wait_status), in_place(page),
                      " - a plugin must not call exit()", last_words(stderr_fd)));
}

}  // namespace

Result run_in_child(const CheckOptions& options, const Check& check) {
  const FileDescriptor page_fd(::memfd_create("fermata-check", MFD_CLOEXEC));
  const FileDescriptor stderr_fd(::memfd_create("fermata-check-stderr", MFD_CLOEXEC));
  if (!page_fd.ok() || !stderr_fd.ok() || ::ftruncate(page_fd.get(), sizeof(Page)) != 0) {
    return fail("could not make the page that parent and child share");
  }
  Page* page = map_page(page_fd.get());
  if (page == nullptr) return fail("could not map the page that parent and child share");

  std::vector<std::string> words = options.child;
  for (const std::string& word :
       {std::string(kChildWord), std::string(check.id), options.file, options.testdata,
        str_cat(options.seed), str_cat(absl::ToInt64Milliseconds(options.fuzz))}) {
    words.push_back(word);
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, stderr_fd.get(), 2);
  ::posix_spawn_file_actions_adddup2(&actions, page_fd.get(), kPageFd);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, words.front().c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    ::munmap(page, sizeof(Page));
    return fail(str_cat("could not start ", words.front(), ": ", ::strerror(error)));
  }

  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd polled = {process.get(), POLLIN, 0};
  const absl::Duration limit = options.timeout + options.fuzz;
  const bool ended = ::poll(&polled, 1, static_cast<int>(absl::ToInt64Milliseconds(limit))) > 0;
  if (!ended) ::kill(pid, SIGKILL);  // ours, and not reaped yet
  const std::optional<int> wait_status = reap(pid, process.get());
  Result result = ended ? judge(*page, wait_status, stderr_fd.get())
                        : fail(str_cat("did not end within ", absl::FormatDuration(limit),
                                       in_place(*page), " - a loop, or a wait that nothing ends"));
  ::munmap(page, sizeof(Page));
  return result;
}

bool is_check_child(int argc, char** argv, int at) {
  return argc > at && std::strcmp(argv[at], kChildWord) == 0;
}

int check_child_main(int argc, char** argv, int at) {
  constexpr int kWords = 6;
  Page* page = map_page(kPageFd);
  if (page == nullptr || argc < at + kWords) return 2;
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);  // crashes are expected here
  ::close(kPageFd);
  const Check* check = find_check(argv[at + 1]);
  CheckOptions options;
  options.file = argv[at + 2];
  options.testdata = argv[at + 3];
  int64_t fuzz_ms = 0;
  if (check == nullptr || !absl::SimpleAtoi(argv[at + 4], &options.seed) ||
      !absl::SimpleAtoi(argv[at + 5], &fuzz_ms)) {
    return 2;
  }
  options.fuzz = absl::Milliseconds(fuzz_ms);
  absl::StatusOr<std::unique_ptr<Subject>> subject = Subject::read(options);
  if (!subject.ok()) return 2;
  (*subject)->on_entry = [page](std::string_view place) { put(page->place, place); };
  const Result result = check->run(**subject);
  put(page->why, result.why);
  page->outcome = static_cast<uint32_t>(result.outcome);
  page->done = 1;
  // The plugin's own destructors and threads have no part in the verdict.
  std::_Exit(0);
}

}  // namespace fermata::kit
