// ContextVar<T>: a value that follows the flow of control, such as a request's id for the log.
//
//   inline ContextVar<std::string> request_id("-");
//
//   Co<void> handle(Request request) {
//     const auto scope = request_id.set(request.id);     // until `scope` goes
//     co_await answer(request);                          // sees it, and so does what it spawns
//   }
//
// Python's contextvars: a task begins with the values of whoever spawned it; what it sets is seen
// by what it calls and by what it spawns afterwards, never by its spawner or its siblings. The
// bodies of gather, timeout and the like are such flows too. offload() takes the values along.
//
// get() is a walk of the list of what is set, usually short; the reference is good until the value
// is unset, in a coroutine at most until it suspends. A ContextVar lives as long as the program:
// make it a global. Loop thread; on a thread of offload() get() only.
#ifndef SERVICES_ASYNC_CONTEXT_VAR_H_
#define SERVICES_ASYNC_CONTEXT_VAR_H_

#include <utility>

#include "services/async/check.h"
#include "services/async/context.h"
#include "services/async/loop.h"
#include "services/async/scope.h"

namespace fermata {

template <class T>
class ContextVar {
 public:
  // What get() gives where nothing is set.
  explicit ContextVar(T initial = T()) : initial_(std::move(initial)) {}
  ContextVar(const ContextVar&) = delete;
  ContextVar& operator=(const ContextVar&) = delete;

  const T& get() const noexcept {
    const ContextNode* node = detail::current_context();
    for (; node != nullptr; node = node->next().get()) {
      if (node->variable() == this) return static_cast<const Node*>(node)->value;
    }
    return initial_;
  }

  // Keeps the value set. In the coroutine that made it, and not beyond: it is unset where it was
  // set, in reverse order.
  class [[nodiscard]] Scope {
   public:
    Scope(const Scope&) = delete;
    ~Scope() {
      FERMATA_CHECK(scope_->context().get() == node_,
                    "context values must be unset in the reverse order of setting, in the "
                    "coroutine that set them");
      ContextRef outer = node_->next();
      scope_->context() = std::move(outer);
    }

   private:
    friend class ContextVar;
    Scope(fermata::Scope& scope, ContextNode* node) noexcept : scope_(&scope), node_(node) {
      scope.context() = ContextRef(node);
    }
    fermata::Scope* scope_;
    ContextNode* node_;
  };

  // Inside a coroutine.
  Scope set(T value) {
    fermata::Scope* scope = Loop::current().running();
    FERMATA_CHECK(scope != nullptr, "a context value can only be set inside a coroutine");
    return Scope(*scope, new Node(this, scope->context(), std::move(value)));
  }

 private:
  struct Node final : ContextNode {
    Node(const ContextVar* variable, ContextRef next, T value)
        : ContextNode(variable, std::move(next)), value(std::move(value)) {}
    T value;
  };

  T initial_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_CONTEXT_VAR_H_
