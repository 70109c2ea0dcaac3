// What can be handed to timeout, gather, race, Try and the others: a coroutine, or a leaf operation
// such as queue.get() or sleep(). A leaf is wrapped into a coroutine that awaits it; it is taken by
// reference, since it lives, as a temporary of the same expression, until that has ended. A handle,
// Task or Future, is copied or moved into such a coroutine; it may be an lvalue. Its result is then
// a StatusOr: an error, or kCancelled, of the task is one of the operation.
#ifndef SERVICES_ASYNC_AWAITABLE_H_
#define SERVICES_ASYNC_AWAITABLE_H_

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include "services/async/co.h"

namespace fermata {
namespace detail {

template <class A>
struct AwaitTraits;

template <class T>
struct AwaitTraits<Co<T>> {
  using result = T;
};

template <class A>
  requires requires(A& leaf) { leaf.await_resume(); }
struct AwaitTraits<A> {
  using result = std::remove_cvref_t<decltype(std::declval<A&>().await_resume())>;
};

// A handle to something that ends elsewhere specializes this: `result`, and a static `wait(handle)`
// that is the coroutine which waits for it.
template <class H>
struct HandleTraits;

template <class A>
concept Handle = requires { typename HandleTraits<std::remove_cvref_t<A>>::result; };

template <class A>
  requires Handle<A>
struct AwaitTraits<A> {
  using result = typename HandleTraits<A>::result;
};

// Awaits a leaf that lives elsewhere.
template <class A>
class LeafReference {
 public:
  explicit LeafReference(A& leaf) noexcept : leaf_(&leaf) {}
  bool await_ready() { return leaf_->await_ready(); }
  template <class P>
  auto await_suspend(std::coroutine_handle<P> frame) {
    return leaf_->await_suspend(frame);
  }
  decltype(auto) await_resume() { return leaf_->await_resume(); }

 private:
  A* leaf_;
};

template <class A, class R>
Co<R> await_leaf(LeafReference<A> leaf) {
  co_return co_await leaf;
}

template <class T>
Body<T> to_body(Co<T>&& co) noexcept {
  return std::move(co).release();
}

template <class A>
  requires requires(A& leaf) { leaf.await_resume(); }
auto to_body(A&& leaf) {
  using Leaf = std::remove_cvref_t<A>;
  auto body =
      await_leaf<Leaf, typename AwaitTraits<Leaf>::result>(LeafReference<Leaf>(leaf)).release();
  body.promise().kind = PromiseBase::Kind::kLeaf;
  return body;
}

template <class H>
  requires Handle<H>
auto to_body(H&& handle) {
  using Traits = HandleTraits<std::remove_cvref_t<H>>;
  static_assert(
      !std::is_lvalue_reference_v<H> || std::is_copy_constructible_v<typename Traits::result>,
      "this result can only be taken once: std::move() the handle");
  return Traits::wait(std::forward<H>(handle)).release();
}

}  // namespace detail

template <class A>
using AwaitResult = typename detail::AwaitTraits<std::remove_cvref_t<A>>::result;

template <class A>
concept Awaitable = (!std::is_lvalue_reference_v<A> || detail::Handle<A>) &&
                    requires { typename detail::AwaitTraits<std::remove_cvref_t<A>>::result; };

}  // namespace fermata

#endif  // SERVICES_ASYNC_AWAITABLE_H_
