// SPDX-License-Identifier: Apache-2.0
#include "model/passes/permutation.h"

namespace oree {

Permutation identity_permutation(size_t rank) {
  Permutation p(rank);
  for (size_t i = 0; i < rank; ++i) p[i] = static_cast<int64_t>(i);
  return p;
}

Permutation inverse(const Permutation& p) {
  Permutation out(p.size());
  for (size_t i = 0; i < p.size(); ++i) out[static_cast<size_t>(p[i])] = static_cast<int64_t>(i);
  return out;
}

Permutation then(const Permutation& first, const Permutation& second) { return permuted(first, second); }

bool is_identity(const Permutation& p) { return p == identity_permutation(p.size()); }

bool is_permutation(const Permutation& p) {
  std::vector<bool> seen(p.size());
  for (int64_t axis : p) {
    if (axis < 0 || static_cast<size_t>(axis) >= p.size() || seen[static_cast<size_t>(axis)]) return false;
    seen[static_cast<size_t>(axis)] = true;
  }
  return true;
}

bool moves_nothing(const Permutation& p, const Dims& operand) {
  int64_t last = -1;
  for (int64_t axis : p) {
    if (operand[static_cast<size_t>(axis)] == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace oree
