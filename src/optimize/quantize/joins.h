// SPDX-License-Identifier: Apache-2.0
// Joins of unlike ranges. Concat, Max and Min of TFLite bring all operands to one scale: beside boxes of 0..640, scores
// of 0..1 become one integer or two. Here they are found; where one is the end of the network, it can stay in float, or
// its operands be given out apart.
#pragma once

#include <string>
#include <vector>

#include "optimize/quantize/plan.h"

namespace oree {

inline constexpr double kUnlikeRanges = 4;  // times as wide

struct JoinOperand {
  std::string name;
  Range range;  // what was seen of it, or what its operator bounds it to
};

struct Join {
  NodeId node = kNoNode;
  std::string name;  // of its result
  std::string op;
  std::vector<JoinOperand> operands;  // without constants
  bool last = false;                  // only moves lie between it and what leaves the integers
  bool in_float = false;              // that is where it was left

  double steps_least() const;  // of 255, that remain to the narrowest operand at the scale of the widest
};

// The joins of a placement whose widest operand is more than kUnlikeRanges times as wide as the narrowest, in order.
std::vector<Join> unlike_joins(const Graph& graph, const Dialect& dialect, const GraphPlacement& placement,
                               const Statistics& statistics);

// Outputs that a Concat makes are replaced by its operands, named after the output: "output0" by "output0_0",
// "output0_1" …; constants among them are left out. How many outputs were split. Types stay inferred.
Result<int> split_outputs(Graph& graph);

}  // namespace oree
