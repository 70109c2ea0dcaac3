#include "plugins/sdk/metrics.h"

namespace fermata {

void Metric::update(double value, std::initializer_list<std::string_view> labels) const {
  constexpr size_t kMaxLabels = 8;
  if (host_ == nullptr || labels.size() > kMaxLabels) return;
  fermata_str values[kMaxLabels];
  uint32_t count = 0;
  for (std::string_view label : labels) values[count++] = {label.data(), label.size()};
  (void)host_->metric_update(instance_, id_, value, values, count);
}

}  // namespace fermata
