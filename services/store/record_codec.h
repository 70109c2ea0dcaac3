// The bytes of a stored job: a compact binary form with a version and a checksum of its own.
//
//   'F' | version | body: varints, lengths and bytes, in the order of JobRecord | CRC-32, 4 bytes
//
// Magic, version and checksum are at the same places in every version, so that a damaged record and
// one of a newer server are told apart. Records are read back from disks that rot and from
// directories that people copy about: decode_record() answers for any bytes at all, takes memory
// only in proportion to them, and never gives half a record. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/store/job_record.h"

namespace fermata {

// 1: everything but `begun`. 2: each stage ends with it. A record is written in the oldest version
// that can say what it has to, so that the server of before can read what did not need the newer
// one.
inline constexpr uint8_t kRecordVersion = 2;

std::string encode_record(const JobRecord& record);

// DATA_LOSS: these bytes were not written by encode_record(), or have changed since.
// FAILED_PRECONDITION: a newer server wrote them.
absl::StatusOr<JobView> decode_record(std::string_view bytes);

}  // namespace fermata
