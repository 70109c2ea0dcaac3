// How deep JSON may be nested, in inputs and in what stages give. Evaluation and printing recurse.
#pragma once

namespace fermata {

inline constexpr int kJsonDepthMax = 200;

}  // namespace fermata
