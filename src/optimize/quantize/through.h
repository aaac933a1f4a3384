// SPDX-License-Identifier: Apache-2.0
// Ranges of what an activation function takes: far below 0 a SiLU or a sigmoid is flat, and an error there is none in
// what it gives out. So the range is chosen by the error behind the function, and the steps where it is steep are
// finer.
#pragma once

#include <functional>

#include "model/graph/graph.h"
#include "optimize/quantize/ranges.h"

namespace oree {

using RealFunction = std::function<double(double)>;

// The function of a value that is all that its users compute of it: x * Sigmoid(x), Sigmoid, HardSwish and the like;
// empty when there is none, or a user that takes the value itself.
RealFunction function_of(const Graph& graph, ValueId value);

// The range of least squared error of function(value).
Range least_error_through(const Histogram& histogram, const IntegerGrid& grid, const RealFunction& function);

}  // namespace oree
