// for_each: one call per item of a range, at most `limit` at a time.
//
//   co_await Try(for_each(urls, 64, fetch_one, client));    // Co<absl::Status> fetch_one(url,
//   client)
//
// Calls fn(item, args...) for the items in order; it may return void, Status or StatusOr, whose
// value is dropped. The first failure cancels the calls that run, starts no more, and is the
// result. Items, range and args are used by reference: the call is awaited in place.
#ifndef SERVICES_ASYNC_FOR_EACH_H_
#define SERVICES_ASYNC_FOR_EACH_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/outcome.h"
#include "services/async/scope.h"
#include "services/async/sleep.h"
#include "services/async/task_group.h"
#include "services/async/try.h"

namespace fermata {
namespace detail {

// Goes on at once, unless the scope is cancelled: between items, since one that shields itself, or
// never waits, would otherwise be followed by all the rest.
class [[nodiscard]] CancelPoint final : public Suspension {
 public:
  CancelPoint() noexcept : Suspension([](Suspension&) noexcept { return true; }) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    if (!frame.promise().scope->requested()) return false;
    frame.promise().line = line;
    return !park(untyped(frame));
  }
  void await_resume() const noexcept {}
};

template <class Iterator, class End, class F, class... A>
class ForEach {
 public:
  ForEach(Iterator first, End last, F fn, A... args)
      : next_(first), last_(last), fn_(fn), args_(std::forward<A>(args)...) {}

  bool empty() const { return next_ == last_; }
  // Item by item, until there is none left. `limit` of these run at a time.
  static Co<absl::Status> work(ForEach* all) {
    while (!all->empty()) {
      co_await CancelPoint();
      decltype(auto) item = *all->next_;
      ++all->next_;
      using R = typename decltype(all->call(item))::value_type;
      if constexpr (std::is_same_v<R, Folded<R>>) {
        co_await all->call(item);
      } else {
        co_await Try(all->call(item));
      }
    }
    co_return absl::OkStatus();
  }
  static Co<absl::Status> start(TaskGroup& group, ForEach* all, std::size_t limit) {
    for (std::size_t i = 0; i < limit; ++i) {
      if (all->empty()) break;
      group.spawn_named("for_each", &ForEach::work, all);
      co_await yield_now();  // it takes its first item meanwhile: no more start than there are
                             // items
    }
    co_return absl::OkStatus();
  }

 private:
  template <class Item>
  auto call(Item&& item) {
    return std::apply([&](auto&... args) { return fn_(item, args...); }, args_);
  }

  Iterator next_;
  End last_;
  F fn_;
  std::tuple<A...> args_;
};

}  // namespace detail

// Wakes when every call has ended. On cancel: forwarded to the calls, then outward. On shutdown:
// likewise.
template <class R, class F, class... A>
Co<absl::Status> for_each(R&& range, std::size_t limit, F fn, A&&... args) {
  FERMATA_CHECK(limit > 0, "for_each needs a limit of at least 1");
  using State = detail::ForEach<decltype(std::begin(range)), decltype(std::end(range)), F, A&&...>;
  State state(std::begin(range), std::end(range), fn, std::forward<A>(args)...);
  co_return co_await with_group(&State::start, &state, limit);
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_FOR_EACH_H_
