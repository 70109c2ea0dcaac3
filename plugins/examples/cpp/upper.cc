// The example stage in C++: one coroutine. It sleeps a little, works on another thread, and answers
// its input (a JSON string) in upper case. Cancellation destroys the frame at either co_await.
#include <memory>
#include <string>
#include <string_view>

#include "plugins/sdk/sdk.h"

namespace {

// Letters of escapes such as \n stay as they are.
std::string upper_case(std::string text) {
  bool escaped = false;
  for (char& c : text) {
    if (!escaped && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    escaped = !escaped && c == '\\';
  }
  return text;
}

class Upper {
 public:
  static const fermata::StageSpec& spec() {
    static const fermata::StageSpec spec = {"upper", "a text in upper case, after a nap",
                                            R"({"type":"object","additionalProperties":false})",
                                            R"({"type":"string"})", FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Upper>> create(fermata::Instance&, std::string_view) {
    return std::make_unique<Upper>();
  }

  fermata::Co<absl::StatusOr<std::string>> run(fermata::Call& call) {
    std::string input(call.input());
    co_await fermata::sleep(absl::Milliseconds(3));
    std::string output = co_await fermata::offload(&upper_case, input);
    co_return output;
  }
};

}  // namespace

FERMATA_PLUGIN("org.example.upper_cpp", "0.1.0", Upper);
