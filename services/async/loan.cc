#include "services/async/loan.h"

#include "services/async/join.h"
#include "services/async/loop.h"

namespace fermata {

void Borrower::ask() noexcept {
  if (!listed_) {
    Loop& loop = Loop::current();
    listed_ = true;
    previous_ = nullptr;
    next_ = loop.first_borrower;
    if (next_ != nullptr) next_->previous_ = this;
    loop.first_borrower = this;
  }
  borrow_if_stuck();
}

void Borrower::stop_asking() noexcept {
  listed_ = false;
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : Loop::current().first_borrower) = next_;
}

void lend(Loop& loop) noexcept {
  for (Borrower* borrower = loop.first_borrower; borrower != nullptr;) {
    Borrower* const next = borrower->next_;  // one that borrows leaves the list, and no other does
    borrower->borrow_if_stuck();
    borrower = next;
  }
}

// Scopes are branches, and the body of a group is the first of its join's.
bool goes_after(const Scope* holder, const Scope& waiter) noexcept {
  if (holder == nullptr || holder == &waiter) return false;
  const Scope* at = &waiter;
  while (const Join* join = static_cast<const Branch*>(at)->join()) {
    const Branch* body = join->first_branch();
    if (body == holder && body->stays()) return true;
    at = join->outer();
    if (at == holder) return true;
    if (at == nullptr) break;
  }
  return false;
}

}  // namespace fermata
