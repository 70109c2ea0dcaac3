// Loans: a lock whose holder cannot go on before the waiter has gone.
//
//   body of a group, holds the lock ── cancelled; waits for its children to go first
//        └─ child, cancelled in Condition::wait() ── must have the lock back before it goes
//
// Each would wait for the other, for ever. But nothing of the holder will run before the child has
// gone, and then only its destructors; so nothing comes between them when the child is given the
// lock on loan. It stays locked and the holder's, and is given back when the child lets go of it,
// as if the two had gone in the other order. The same is true of a holder that is parked at a
// group, timeout or gather around the child, cancelled or not.
//
// Only waits that have been cancelled borrow, one at a time: those are listed with their loop while
// they wait for the lock, and looked at when one of these things may have changed.
#ifndef SERVICES_ASYNC_LOAN_H_
#define SERVICES_ASYNC_LOAN_H_

namespace fermata {

class Loop;
class Scope;

class Borrower {
 public:
  Borrower(const Borrower&) = delete;
  Borrower& operator=(const Borrower&) = delete;

 protected:
  Borrower() noexcept = default;
  ~Borrower() {
    if (listed_) stop_asking();
  }
  // Takes the lock on loan now, or as soon as that is possible; stop_asking() when it has it.
  void ask() noexcept;
  void stop_asking() noexcept;
  bool asking() const noexcept { return listed_; }

 private:
  friend void lend(Loop& loop) noexcept;
  virtual void borrow_if_stuck() noexcept = 0;

  Borrower* previous_ = nullptr;
  Borrower* next_ = nullptr;
  bool listed_ = false;
};

// Lends what can be lent to those who ask.
void lend(Loop& loop) noexcept;

// Whether the frames of `holder` will not run before those of `waiter` are gone. `holder` is only
// compared: it may be gone, or null.
bool goes_after(const Scope* holder, const Scope& waiter) noexcept;

}  // namespace fermata

#endif  // SERVICES_ASYNC_LOAN_H_
