// SPDX-License-Identifier: Apache-2.0
// Products of sizes that may not be known: what formulas of costs are made of. -1 is "not known" throughout.
#pragma once

#include "model/graph/graph.h"

namespace oree {

int64_t cost_product(int64_t a, int64_t b);                          // -1: one is -1, or above 2^62
int64_t volume(const Graph& graph, ValueId value, size_t from = 0);  // elements from that axis on; -1: not known
int64_t volume(const Shape& shape, size_t from = 0);
int64_t dim_at(const Graph& graph, ValueId value, int axis);  // from the end when negative; -1: not known

}  // namespace oree
