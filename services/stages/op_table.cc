#include "services/stages/op_table.h"

#include <algorithm>

namespace fermata {

void OpTable::spread() {
  many_ = std::make_unique<absl::flat_hash_map<uint64_t, CallOp*>>();
  for (size_t i = 0; i < few_count_; ++i) many_->emplace(few_[i]->token(), few_[i]);
}

std::vector<CallOp*> OpTable::all() const {
  std::vector<CallOp*> ops;
  ops.reserve(size());
  if (!many_) {
    ops.assign(few_.begin(), few_.begin() + static_cast<ptrdiff_t>(few_count_));
    return ops;
  }
  for (const auto& [token, op] : *many_) ops.push_back(op);
  // A hash map's order is random on purpose; a plugin's tokens are usually numbers or addresses.
  std::sort(ops.begin(), ops.end(),
            [](const CallOp* a, const CallOp* b) { return a->token() < b->token(); });
  return ops;
}

}  // namespace fermata
