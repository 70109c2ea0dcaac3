// An answer's bytes as JSON. They come from the network: every length is checked.
//
// Pure function, any thread.
#ifndef FERMATA_PLUGINS_DNS_ANSWER_H_
#define FERMATA_PLUGINS_DNS_ANSWER_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/dns/options.h"

namespace fermata::dns {

struct Answer {
  std::size_t count = 0;
  std::string records;    // a JSON array of those of the type that was asked for
  std::string canonical;  // where aliases led; empty when there were none
};

// A, AAAA, CNAME, NS, PTR, TXT: {"value","ttl"}; MX: {"host","priority","ttl"}; SRV:
// {"host","port", "priority","weight","ttl"}. Unavailable: not a DNS answer.
absl::StatusOr<Answer> parse_answer(std::span<const std::uint8_t> bytes, RecordType type);

}  // namespace fermata::dns

#endif  // FERMATA_PLUGINS_DNS_ANSWER_H_
