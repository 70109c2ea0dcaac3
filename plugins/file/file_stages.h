// The stages' work as plain blocking functions, for the offload pool. Any thread.
#ifndef FERMATA_PLUGINS_FILE_FILE_STAGES_H_
#define FERMATA_PLUGINS_FILE_FILE_STAGES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "plugins/file/root.h"

namespace fermata::file {

// True when nobody waits for the result any more. Asked between chunks.
using Stop = absl::FunctionRef<bool()>;

struct Config {
  std::string root;  // empty: not configured, every call is refused with how to configure it
  bool read_only = false;
  std::uint64_t bytes_max = 64 << 20;
};
absl::StatusOr<Config> read_config(std::string_view config_json);

struct ReadOptions {
  std::string path;
  bool base64 = false;
  std::uint64_t bytes_max = 0;
};
absl::StatusOr<ReadOptions> read_read_options(std::string_view input, const Config& config);
// {"path","bytes","encoding","content"}
absl::StatusOr<std::string> read(const Root& root, const ReadOptions& options, Stop stop);

enum class WriteMode { kCreate, kReplace, kAppend };
struct WriteOptions {
  std::string path;
  std::string content;
  WriteMode mode = WriteMode::kCreate;
  bool make_folders = false;
  bool sync = true;
};
absl::StatusOr<WriteOptions> read_write_options(std::string_view input, const Config& config);
// {"path","bytes"}. Create and replace are atomic: other readers see the old file or the whole new
// one. Append is one write as far as the kernel takes it as one.
absl::StatusOr<std::string> write(const Root& root, const WriteOptions& options, Stop stop);

}  // namespace fermata::file

#endif  // FERMATA_PLUGINS_FILE_FILE_STAGES_H_
