// Frames: what crosses the socket between the server and a plugin's own process.
//
//   u32 length of the payload | u16 type | u16 flags | u64 call | u32 sequence | u32 descriptors
//
// in the machine's byte order (both ends are on it), then the payload. At most kInlineMax bytes of
// payload go inline; a larger one is a sealed memfd that travels beside the frame (kFrameInMemfd),
// whose size is then the inline payload.
//
// The other end is a process that runs a stranger's code, so nothing in a frame is believed: the
// decoder is a pure function over bytes that accepts exactly what encode_header() can have made,
// and names what it refuses. Any thread.
#ifndef SERVICES_STAGES_ISOLATED_FRAME_H_
#define SERVICES_STAGES_ISOLATED_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace fermata {

// What `call` means: the server's number of a call; for kMetrics the index of a stage; for kSubCall
// and its kin the plugin process's number of a sub-call; else 0.
enum class FrameType : uint16_t {
  kHello = 1,       // process: the plugin is loaded, or refused
  kCreate = 2,      // server: make an instance of each stage
  kCreated = 3,     // process: they are made, or why not
  kStart = 4,       // server: a call begins
  kCancel = 5,      // server: ... shall end
  kFinish = 6,      // process: ... has ended
  kEmit = 7,        // process: a chunk of its output
  kCredit = 8,      // server: that many bytes of chunks were passed on
  kProgress = 9,    // process
  kLog = 10,        // process
  kMetrics = 11,    // process: what a stage counts for itself
  kSubCall = 12,    // process: a call wants another stage
  kSubCancel = 13,  // process: ... not any more
  kSubResult = 14,  // server: ... how it ended
  kSubChunk = 15,   // server: ... a chunk of it
  kPing = 16,       // server: are you there
  kPong = 17,       // process: yes
  kClose = 18,      // server: cancel everything, destroy the instances, exit
};
inline constexpr uint16_t kFrameTypeMax = 18;

// Who may send it: the process's types are refused from the server and the other way round.
bool sent_by_process(FrameType type);

// Whether its payload may be above kInlineMax; the others' come in the frame.
bool may_be_large(FrameType type);

inline constexpr uint16_t kFrameInMemfd = 1;

struct FrameHeader {
  uint32_t length = 0;
  FrameType type = FrameType::kPing;
  uint16_t flags = 0;
  uint64_t call = 0;
  uint32_t sequence = 0;  // 0, 1, 2, ... in each direction
  uint32_t descriptors = 0;

  bool in_memfd() const { return (flags & kFrameInMemfd) != 0; }
};

inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr size_t kInlineMax = size_t{16} << 10;
inline constexpr size_t kFrameBytesMax = kFrameHeaderBytes + kInlineMax;

void encode_header(const FrameHeader& header, std::string& out);

// Which end reads.
enum class FrameReader : uint8_t { kServer, kProcess };

// Reads one frame after another from a stream's bytes; remembers only the sequence.
class FrameDecoder {
 public:
  explicit FrameDecoder(FrameReader reader) : reader_(reader) {}

  struct Decoded {
    FrameHeader header;
    std::string_view payload;  // in the bytes that were given
    size_t bytes = 0;          // of the whole frame; 0: more are needed
  };
  // `bytes` begins where a frame does. InvalidArgument: no frame of this protocol, and nothing
  // after it can be read either.
  absl::StatusOr<Decoded> next(std::string_view bytes);

 private:
  const FrameReader reader_;
  uint32_t sequence_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_FRAME_H_
