#pragma once

// absl::StrCat that takes std::string_view too. Debian builds Abseil with a string_view of its own,
// which does not convert from the standard one; with any other Abseil this is StrCat itself.

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fermata {

// A view as Abseil's functions want it: absl::SimpleAtoi(for_absl(text), &n).
inline absl::string_view for_absl(std::string_view text) { return {text.data(), text.size()}; }

// And back: the message of a Status, for functions of ours.
inline std::string_view from_absl(absl::string_view text) { return {text.data(), text.size()}; }

namespace str_cat_internal {
inline absl::string_view piece(std::string_view text) { return for_absl(text); }
template <typename T>
  requires(!std::is_same_v<T, std::string_view>)
const T& piece(const T& value) {
  return value;
}
}  // namespace str_cat_internal

template <typename... T>
std::string str_cat(const T&... parts) {
  return absl::StrCat(str_cat_internal::piece(parts)...);
}

template <typename... T>
void str_append(std::string* out, const T&... parts) {
  absl::StrAppend(out, str_cat_internal::piece(parts)...);
}

}  // namespace fermata
