// What a plugin's own process sends: frames, and the message in each. An accepted frame lies inside
// the bytes; an accepted message means the same when it is encoded again.
#include "services/stages/isolated/frame.h"
#include "services/stages/isolated/messages.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

namespace {

template <class Message>
void check(std::string_view payload) {
  const absl::StatusOr<Message> message = Message::decode(payload);
  if (!message.ok()) {
    FUZZ_CHECK(fuzz::readable(message.status()));
    return;
  }
  const std::string again = message->encode();
  const absl::StatusOr<Message> twice = Message::decode(again);
  FUZZ_CHECK(twice.ok());
  FUZZ_CHECK(twice->encode() == again);
}

void check_metrics(std::string_view payload) {
  absl::StatusOr<std::vector<PluginMetric>> metrics = decode_metrics(payload);
  if (!metrics.ok()) return;
  PluginMetrics counted;
  std::vector<PluginMetric> before;
  if (!counted.add_from_process(*metrics, before)) return;
  FUZZ_CHECK(counted.all().size() <= PluginMetrics::kMaxMetrics);
  FUZZ_CHECK(counted.add_from_process(*std::move(metrics), before));
  FUZZ_CHECK(decode_metrics(encode_metrics(counted)).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FrameDecoder decoder(FrameReader::kServer);
  for (;;) {
    const absl::StatusOr<FrameDecoder::Decoded> frame = decoder.next(bytes);
    if (!frame.ok()) FUZZ_CHECK(fuzz::readable(frame.status()));
    if (!frame.ok() || frame->bytes == 0) break;
    FUZZ_CHECK(frame->bytes <= bytes.size());
    FUZZ_CHECK(frame->payload.size() <= kInlineMax);
    FUZZ_CHECK(sent_by_process(frame->header.type));
    switch (frame->header.type) {
      case FrameType::kHello:
        check<Hello>(frame->payload);
        break;
      case FrameType::kFinish:
        check<EndMessage>(frame->payload);
        break;
      case FrameType::kLog:
        check<LogMessage>(frame->payload);
        break;
      case FrameType::kProgress:
        check<ProgressMessage>(frame->payload);
        break;
      case FrameType::kSubCall:
        check<SubCallMessage>(frame->payload);
        break;
      case FrameType::kMetrics:
        check_metrics(frame->payload);
        break;
      default:
        (void)decode_status(frame->payload);
        break;
    }
    bytes.remove_prefix(frame->bytes);
  }
  return 0;
}
