// SPDX-License-Identifier: Apache-2.0
// Permutations of axes, as Transpose's `perm`: axis i of the result is axis perm[i] of the operand.
#pragma once

#include <vector>

#include "model/graph/dims.h"

namespace oree {

using Permutation = std::vector<int64_t>;

Permutation identity_permutation(size_t rank);
Permutation inverse(const Permutation& p);
// Transpose by `first`, then by `second`.
Permutation then(const Permutation& first, const Permutation& second);
bool is_identity(const Permutation& p);
bool is_permutation(const Permutation& p);
// Only axes of size 1 change their place among the others: the transposition moves no data, a Reshape does it too.
bool moves_nothing(const Permutation& p, const Dims& operand);

template <typename T>
std::vector<T> permuted(const std::vector<T>& items, const Permutation& p) {
  std::vector<T> out;
  out.reserve(p.size());
  for (int64_t axis : p) out.push_back(items[static_cast<size_t>(axis)]);
  return out;
}

}  // namespace oree
