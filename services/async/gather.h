// gather, gather_settled, race: several bodies at once, in the awaiting coroutine's frame.
//
//   absl::StatusOr<std::tuple<User, Cart>> both = co_await gather(user(id), cart(id));
//   std::tuple<Outcome<User>, Outcome<Cart>> each = co_await gather_settled(user(id), cart(id));
//   RaceResult<Page, std::monostate> first = co_await race(fetch(url), sleep(absl::Seconds(1)));
//
//   gather          all values; the first error cancels the rest and is the result
//   gather_settled  how each ended; nothing cancels anything (asyncio's return_exceptions=True)
//   race            the result of the first to end; the others are cancelled, and waited for
//
// A race loses nothing. It is decided when the first body has ended, or when a queue's get() or
// put() that was passed to it is given its item, or its room; at that moment the others are stopped
// where they wait, so nothing is given to them any more: of race(a.get(), b.get()) exactly one
// takes. A body that is awake then runs on to its next suspension; if it reaches its end instead,
// its result is in late<I>(). Only the exception of such a loser is dropped.
//
// Every body runs under its own scope, and is over when the call returns. No task is made: the
// branches are part of the awaiting frame. For a number of bodies that is not known when the
// program is written use for_each, or a TaskGroup.
//
// All three wake when the last body has ended. On cancel: forwarded to the bodies; gather and race
// then go on outward unless there is a result to give, gather_settled reports it. On shutdown:
// same.
#ifndef SERVICES_ASYNC_GATHER_H_
#define SERVICES_ASYNC_GATHER_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/awaitable.h"
#include "services/async/co.h"
#include "services/async/join.h"
#include "services/async/outcome.h"

namespace fermata {

// What a race gives: the result of the winner, as a variant, and those of losers that were awake
// when it was decided, and came to their end. There rarely are any; who races for things that may
// not get lost looks.
template <class... T>
class [[nodiscard]] RaceResult : public std::variant<T...> {
 public:
  using std::variant<T...>::variant;
  template <std::size_t I>
  std::optional<std::tuple_element_t<I, std::tuple<T...>>>& late() noexcept {
    return std::get<I>(late_);
  }

 private:
  std::tuple<std::optional<T>...> late_;
};

namespace detail {

// void has no objects; std::monostate stands for it in tuples and variants.
template <class T>
using NonVoid = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class... T>
class Branches : public Join {
 public:
  explicit Branches(Body<T>... bodies) noexcept : branches_(std::move(bodies)...) {}

  bool await_ready() const noexcept { return sizeof...(T) == 0; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    begin(frame, line);
    std::apply([this](auto&... branch) { (branch.start_soon(*this), ...); }, branches_);
  }

 protected:
  std::tuple<BodyBranch<T>...> branches_;
};

template <class... T>
inline constexpr bool kAllVoid = (std::is_void_v<Folded<T>> && ...);

template <class... T>
using Gathered = std::conditional_t<kAllVoid<T...>, absl::Status,
                                    absl::StatusOr<std::tuple<NonVoid<Folded<T>>...>>>;

template <class... T>
class [[nodiscard]] GatherAll final : public Branches<T...> {
 public:
  using Branches<T...>::Branches;
  Gathered<T...> await_resume() {
    if (!error_.ok()) return error_;
    if constexpr (kAllVoid<T...>) {
      return absl::OkStatus();
    } else {
      return std::apply(
          [](auto&... branch) { return std::tuple<NonVoid<Folded<T>>...>(value(branch)...); },
          this->branches_);
    }
  }
  const char* kind() const noexcept override { return "gather"; }

 private:
  template <class R>
  static NonVoid<Folded<R>> value(BodyBranch<R>& branch) {
    if constexpr (std::is_void_v<Folded<R>>) {
      return std::monostate();
    } else {
      return branch.take_outcome().value();
    }
  }
  void on_end(Branch& branch) noexcept override {
    if (branch.was_cancelled()) cut_short_ = true;
    if (!error_.ok()) return;
    error_ = branch.failure();
    if (!error_.ok()) this->request_all(CancelReason::kSiblingFailed);
  }
  bool has_result() const noexcept override { return !error_.ok() || !cut_short_; }

  absl::Status error_;
  bool cut_short_ = false;
};

template <class... T>
class [[nodiscard]] GatherSettled final : public Branches<T...> {
 public:
  using Branches<T...>::Branches;
  std::tuple<Outcome<Folded<T>>...> await_resume() {
    return std::apply(
        [](auto&... branch) { return std::tuple<Outcome<Folded<T>>...>(branch.take_outcome()...); },
        this->branches_);
  }
  const char* kind() const noexcept override { return "gather_settled"; }

 private:
  bool has_result() const noexcept override { return true; }
};

template <class... T>
class [[nodiscard]] Race final : public Branches<T...> {
  using Result = RaceResult<NonVoid<T>...>;

 public:
  explicit Race(Body<T>... bodies) noexcept : Branches<T...>(std::move(bodies)...) {
    std::apply([](auto&... branch) { (branch.race_if_leaf(), ...); }, this->branches_);
  }
  Result await_resume() { return result(std::index_sequence_for<T...>()); }
  const char* kind() const noexcept override { return "race"; }

 private:
  void on_given(Branch& branch) noexcept override { decide(branch); }
  void on_end(Branch& branch) noexcept override {
    if (!branch.was_cancelled()) decide(branch);
  }
  void decide(Branch& branch) noexcept {
    if (winner_ != nullptr) return;
    winner_ = &branch;
    this->request_others_now(branch, CancelReason::kSiblingFailed);
  }
  bool has_result() const noexcept override { return winner_ != nullptr; }

  template <std::size_t... I>
  Result result(std::index_sequence<I...>) {
    FERMATA_CHECK(winner_ != nullptr, "a race ended without a winner");
    std::optional<Result> result;
    (take_winner<I>(std::get<I>(this->branches_), result), ...);
    (take_late<I>(std::get<I>(this->branches_), *result), ...);
    return *std::move(result);
  }
  template <std::size_t I, class R>
  void take_winner(BodyBranch<R>& branch, std::optional<Result>& result) {
    if (winner_ == &branch) result.emplace(std::in_place_index<I>, take(branch));
  }
  template <std::size_t I, class R>
  void take_late(BodyBranch<R>& branch, Result& result) {
    if (winner_ != &branch && branch.has_value()) result.template late<I>() = take(branch);
  }
  template <class R>
  static NonVoid<R> take(BodyBranch<R>& branch) {
    if constexpr (std::is_void_v<R>) {
      branch.take();
      return std::monostate();
    } else {
      return branch.take();
    }
  }

  Branch* winner_ = nullptr;
};

template <template <class...> class How, class R, class... T>
Co<R> run_branches(Body<T>... bodies) {
  co_return co_await How<T...>(std::move(bodies)...);
}

}  // namespace detail

template <class... A>
  requires(Awaitable<A> && ...)
auto gather(A&&... bodies) {
  using R = detail::Gathered<AwaitResult<A>...>;
  return detail::run_branches<detail::GatherAll, R>(detail::to_body(std::forward<A>(bodies))...);
}

template <class... A>
  requires(Awaitable<A> && ...)
auto gather_settled(A&&... bodies) {
  using R = std::tuple<Outcome<Folded<AwaitResult<A>>>...>;
  return detail::run_branches<detail::GatherSettled, R>(
      detail::to_body(std::forward<A>(bodies))...);
}

template <class... A>
  requires(sizeof...(A) > 0 && (Awaitable<A> && ...))
auto race(A&&... bodies) {
  using R = RaceResult<detail::NonVoid<AwaitResult<A>>...>;
  return detail::run_branches<detail::Race, R>(detail::to_body(std::forward<A>(bodies))...);
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_GATHER_H_
