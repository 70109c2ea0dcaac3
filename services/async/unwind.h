// Destroying a chain of calls, innermost first, on a flat stack.
//
// A frame owns what it calls, so destroying the outermost one would do; but each would be destroyed
// by the destructor of the one around it, and a chain of a million calls needs a million such
// destructors on the stack at once. So the links are followed instead, and each frame is destroyed
// when nothing is left below it.
//
//   cancelled    from the place where the scope is parked, up, by the continuations
//   failed       Try ends frames from below without touching them, since the one that fails is
//   still
//                on its way out; who takes the result at the top destroys them: down, turning each
//                link round, and up again
#ifndef SERVICES_ASYNC_UNWIND_H_
#define SERVICES_ASYNC_UNWIND_H_

#include <coroutine>

namespace fermata {

class Completion;
class PromiseBase;
class Scope;
using FrameHandle = std::coroutine_handle<PromiseBase>;

namespace detail {

// All frames of `scope` from the innermost one, but not the body, which belongs to its branch.
void destroy_calls(FrameHandle innermost, const Scope& scope) noexcept;

// All frames below an abandoned one, which waited at `below`.
void drop_calls(Completion& below) noexcept;

}  // namespace detail
}  // namespace fermata

#endif  // SERVICES_ASYNC_UNWIND_H_
