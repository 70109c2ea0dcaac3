// What this build is, for --version and fermata_build_info.
#pragma once

namespace fermata {

inline constexpr const char* kVersion = "0.1.0";

#if defined(__clang__)
inline constexpr const char* kCompiler = "clang " __clang_version__;
#else
inline constexpr const char* kCompiler = "gcc " __VERSION__;
#endif

}  // namespace fermata
