#pragma once

// When two JSON values are the same for `enum` and `uniqueItems`: numbers by value (1 is 1.0),
// objects whatever the order of their members. Both count their work down from a budget and may
// give up, with any answer, once it is below zero. Private to the schema_*.cc files; pure
// functions.

#include <cstddef>
#include <cstdint>

#include "services/config/json.h"

namespace fermata {

bool json_equal(const JsonValue& a, const JsonValue& b, int64_t* budget);

// Equal values have equal hashes. Different in every process, so that nobody can prepare
// collisions.
size_t json_hash(const JsonValue& value, int64_t* budget);

// Numbers: a < b and a == b, exact for integers of either sign.
bool json_less(const JsonValue& a, const JsonValue& b);
bool json_is_multiple(const JsonValue& value, const JsonValue& of);

}  // namespace fermata
