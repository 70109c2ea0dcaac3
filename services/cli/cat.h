#pragma once

// absl::StrCat and StrAppend that also take std::string_view.
//
// Debian builds Abseil with a string_view class of its own, which the standard one does not turn
// into by itself. Pure functions, any thread.

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fermata::cli {

template <typename T>
decltype(auto) cat_part(const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return absl::string_view(value.data(), value.size());
  } else {
    return (value);
  }
}

template <typename... Parts>
std::string cat(const Parts&... parts) {
  return absl::StrCat(cat_part(parts)...);
}

template <typename... Parts>
void append(std::string* out, const Parts&... parts) {
  absl::StrAppend(out, cat_part(parts)...);
}

}  // namespace fermata::cli
