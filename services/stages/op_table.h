// OpTable: a call's outstanding ops by token. Almost every call has a handful, an instance's root
// call may have thousands (one per connection), so a short array comes first and a hash map takes
// over. Loop thread only.
#ifndef SERVICES_STAGES_OP_TABLE_H_
#define SERVICES_STAGES_OP_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/stages/call_op.h"

namespace fermata {

class OpTable {
 public:
  size_t size() const { return many_ ? many_->size() : few_count_; }
  bool empty() const { return size() == 0; }

  CallOp* find(uint64_t token) const {
    if (many_) {
      const auto found = many_->find(token);
      return found == many_->end() ? nullptr : found->second;
    }
    for (size_t i = 0; i < few_count_; ++i) {
      if (few_[i]->token() == token) return few_[i];
    }
    return nullptr;
  }

  // The token must not be there yet.
  void insert(CallOp& op) {
    if (!many_ && few_count_ < few_.size()) {
      few_[few_count_++] = &op;
      return;
    }
    if (!many_) spread();
    many_->emplace(op.token(), &op);
  }

  void erase(const CallOp& op) {
    if (many_) {
      many_->erase(op.token());
      return;
    }
    for (size_t i = 0; i < few_count_; ++i) {
      if (few_[i] != &op) continue;
      for (; i + 1 < few_count_; ++i) few_[i] = few_[i + 1];  // keeps the order of arrival
      --few_count_;
      return;
    }
  }

  // In order of token: the same in every run.
  std::vector<CallOp*> all() const;

 private:
  void spread();

  std::array<CallOp*, 4> few_;
  size_t few_count_ = 0;
  std::unique_ptr<absl::flat_hash_map<uint64_t, CallOp*>> many_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_OP_TABLE_H_
