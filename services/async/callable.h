// The parameters of a coroutine function, for those who store its arguments: spawn, for_each.
//
// Arguments are kept as the function's *parameter* types. Storing the caller's types would leave a
// `const std::string&` parameter bound to a temporary made from a stored `const char*`.
//
//   parameter   what is stored, and passed
//   T           T, moved into the parameter
//   const T&    a T (or std::ref: the reference itself)
//   T&&         a T
//   T&          only std::ref(x): the caller says that x outlives the task
#ifndef SERVICES_ASYNC_CALLABLE_H_
#define SERVICES_ASYNC_CALLABLE_H_

#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "services/async/co.h"

namespace fermata::detail {

template <class R, class... P>
struct Signature {
  using result = R;
  using parameters = std::tuple<P...>;
};

template <class F>
struct SignatureOf;
template <class R, class... P>
struct SignatureOf<R (*)(P...)> : Signature<R, P...> {};
template <class R, class... P>
struct SignatureOf<R (*)(P...) noexcept> : Signature<R, P...> {};
template <class R, class C, class... P>
struct SignatureOf<R (C::*)(P...)> : Signature<R, C*, P...> {};
template <class R, class C, class... P>
struct SignatureOf<R (C::*)(P...) const> : Signature<R, const C*, P...> {};

template <class M>
struct CallOperator;
template <class R, class C, class... P>
struct CallOperator<R (C::*)(P...) const> : Signature<R, P...> {};
template <class R, class C, class... P>
struct CallOperator<R (C::*)(P...)> : Signature<R, P...> {};

template <class F>
  requires std::is_class_v<F>
struct SignatureOf<F> : CallOperator<decltype(&F::operator())> {
  static_assert(std::is_empty_v<F>,
                "a coroutine lambda may not capture: its captures die before it ends. Pass them as "
                "arguments, which are stored with the task");
};

template <class P, class A>
struct StoredArgument {
  static constexpr bool kIsRef = requires(std::decay_t<A> a) {
    a.get();
  } && std::is_same_v<std::decay_t<A>, std::reference_wrapper<typename std::remove_reference_t<P>>>;
  static_assert(kIsRef || !std::is_lvalue_reference_v<P> ||
                    std::is_const_v<std::remove_reference_t<P>>,
                "this parameter is a mutable reference: pass std::ref(x), and make sure that x "
                "outlives the task");
  using type = std::conditional_t<kIsRef, std::decay_t<A>, std::remove_cvref_t<P>>;
};

// The stored value as the parameter it is for.
template <class P, class S>
decltype(auto) pass_argument(S& stored) {
  if constexpr (std::is_lvalue_reference_v<P>) {
    return static_cast<P>(stored);
  } else {
    return static_cast<P&&>(stored);
  }
}

template <class Parameters, class... A>
struct StoredArgumentsOf;

// The arguments of a call. They live here until the object is destroyed, which must be after the
// coroutine that start() made.
template <class... P, class... A>
struct StoredArgumentsOf<std::tuple<P...>, A...> {
  static_assert(sizeof...(P) == sizeof...(A), "wrong number of arguments for this coroutine");
  explicit StoredArgumentsOf(A... args) : values(std::forward<A>(args)...) {}

  template <class F>
  auto start(F fn) {
    return start_with(fn, std::index_sequence_for<P...>());
  }
  template <class F, std::size_t... I>
  auto start_with(F fn, std::index_sequence<I...>) {
    return std::invoke(fn, pass_argument<P>(std::get<I>(values))...).release();
  }

  [[no_unique_address]] std::tuple<typename StoredArgument<P, A>::type...> values;
};

template <class F, class... A>
using StoredArguments = StoredArgumentsOf<typename SignatureOf<F>::parameters, A&&...>;

template <class F>
using CoroutineValue = typename SignatureOf<F>::result::value_type;

}  // namespace fermata::detail

#endif  // SERVICES_ASYNC_CALLABLE_H_
