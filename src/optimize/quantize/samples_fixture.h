// SPDX-License-Identifier: Apache-2.0
// Numbers of known distributions, the same on every machine. For tests only.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace oree {

// 0 < u < 1.
inline double next_uniform(uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (static_cast<double>(state >> 33) + 0.5) / 2147483648.0;
}

inline double next_normal(uint64_t& state) {
  double u = next_uniform(state), v = next_uniform(state);
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
}

inline std::vector<float> normal_values(size_t n, uint64_t seed, float deviation = 1) {
  std::vector<float> values(n);
  for (float& v : values) v = deviation * static_cast<float>(next_normal(seed));
  return values;
}

// Heavier tails, as activations have.
inline std::vector<float> laplace_values(size_t n, uint64_t seed, float scale = 1) {
  std::vector<float> values(n);
  for (float& v : values) {
    double u = next_uniform(seed) - 0.5;
    v = scale * static_cast<float>((u < 0 ? 1 : -1) * std::log(1 - 2 * std::abs(u)));
  }
  return values;
}

}  // namespace oree
