// SPDX-License-Identifier: Apache-2.0
#include "model/ops/op_def.h"

#include <algorithm>
#include <tuple>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

bool before(const OpDef* a, const OpDef* b) { return std::tie(a->domain, a->op) < std::tie(b->domain, b->op); }

const std::vector<const OpDef*>& table() {
  static const std::vector<const OpDef*> sorted = [] {
    std::vector<const OpDef*> all;
    for (std::span<const OpDef> family :
         {elementwise_ops(), reduce_ops(), movement_ops(), index_ops(), create_ops(), window_ops(), image_ops(),
          normalise_ops(), recurrent_ops(), linear_ops(), quantize_ops(), control_ops(), signal_ops()}) {
      for (const OpDef& def : family) all.push_back(&def);
    }
    std::ranges::sort(all, before);
    return all;
  }();
  return sorted;
}

}  // namespace

const OpDef* find_op(std::string_view domain, std::string_view op) {
  OpDef wanted{op};
  wanted.domain = domain == "ai.onnx" ? "" : domain;
  auto it = std::lower_bound(table().begin(), table().end(), &wanted, before);
  return it != table().end() && !before(&wanted, *it) ? *it : nullptr;
}

std::vector<const OpDef*> all_ops() { return table(); }

}  // namespace oree
