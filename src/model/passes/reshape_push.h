// SPDX-License-Identifier: Apache-2.0
// A Reshape that splits axes, or merges neighbours, does not care where the blocks of axes lie: a channel shuffle,
// heads of attention, the boxes of a detector. Internal to model/passes.
#pragma once

#include <optional>

#include "model/passes/permutation.h"

namespace oree {

// Transpose(perm) -> Reshape  =  Transpose(before) -> Reshape(target) -> Transpose(after)
struct ReshapePush {
  Permutation before;           // within the blocks; the identity where `perm` moves whole blocks only
  std::vector<int64_t> target;  // -1 for a free dimension
  Permutation after;            // of whole blocks
};

// `from`: what the Reshape reads, transposed by `perm` already; `to`: what it makes. At most one dimension of each may
// be free, the same. Nothing when `after` would move nothing.
std::optional<ReshapePush> push_through_reshape(const Dims& from, const Dims& to, const Permutation& perm);

}  // namespace oree
