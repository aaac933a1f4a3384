// SPDX-License-Identifier: Apache-2.0
// Seeded inputs and orders: the same seed gives the same values on every machine.
#pragma once

#include <cstdint>

#include "model/runtime/backend.h"

namespace oree {

// SplitMix64 (Steele, Lea, Flood 2014): one multiply-and-shift step a value; enough for shuffles and noise.
class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next();
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }  // [0, 1)
  size_t below(size_t count) { return static_cast<size_t>(next() % count); }

 private:
  uint64_t state_;
};

// Unknown dimensions become 1. Floats are uniform in [-1, 1), 8-bit integers over their whole range, wider integers
// and bools 0 or 1 (an index or a mask that fits any model). kInvalid or kExhausted when the shape is past the limits.
Result<Tensor> noise_tensor(const TensorInfo& info, uint64_t seed);
Result<NamedTensors> noise_tensors(const std::vector<TensorInfo>& infos, uint64_t seed);

}  // namespace oree
