// SPDX-License-Identifier: Apache-2.0
// Constants with their axes in another order: weights on their way between TFLite's layouts and ONNX's.
#pragma once

#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "model/graph/constant.h"

namespace oree {

// Axis i of the result is axis order[i] of the constant, as in ONNX's Transpose. Asserts that `order` is a permutation.
Constant permuted(const Constant& constant, std::span<const int64_t> order);

// The same, each constant only once in each order: weights that many nodes share stay shared.
class PermutedConstants {
 public:
  const Constant& get(const Constant& constant, std::span<const int64_t> order);

 private:
  struct Pair {
    Constant from, to;  // the first is kept so that its bytes keep their place
  };
  std::map<std::tuple<const uint8_t*, Shape, std::vector<int64_t>>, Pair> known_;
};

// Four-bit elements as bytes, int8 or uint8; other constants as they are.
Tensor unpacked(const Constant& constant);

}  // namespace oree
