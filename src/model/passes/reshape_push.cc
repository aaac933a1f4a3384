// SPDX-License-Identifier: Apache-2.0
#include "model/passes/reshape_push.h"

#include <algorithm>

namespace oree {
namespace {

// Axes [from_begin, from_end) become axes [to_begin, to_end): the same elements in the same order.
struct AxisBlock {
  size_t from_begin = 0, from_end = 0, to_begin = 0, to_end = 0;
};

bool one_free_at_most(const Dims& dims) {
  return std::ranges::all_of(dims, [](const Dim& d) { return !d.known() || d.size > 0; }) &&
         std::ranges::count_if(dims, [](const Dim& d) { return !d.known(); }) <= 1;
}

// One block: as few axes of either side as hold equally many elements. False when they never do.
bool take_block(const Dims& from, const Dims& to, size_t& i, size_t& j) {
  if (i == from.size() || j == to.size()) return false;
  if (!from[i].known() || !to[j].known()) {
    bool both = !from[i].known() && !to[j].known();
    ++i, ++j;
    return both;
  }
  int64_t left = from[i++].size, right = to[j++].size;
  while (left != right) {
    const bool grow_left = left < right;
    if (grow_left ? i == from.size() : j == to.size()) return false;
    const Dim& next = grow_left ? from[i++] : to[j++];
    if (!next.known() || __builtin_mul_overflow(grow_left ? left : right, next.size, grow_left ? &left : &right)) {
      return false;
    }
  }
  return true;
}

std::optional<std::vector<AxisBlock>> blocks_of(const Dims& from, const Dims& to) {
  std::vector<AxisBlock> out;
  size_t i = 0, j = 0;
  auto only_ones = [](const Dims& dims, size_t at) {
    return std::all_of(dims.begin() + static_cast<ptrdiff_t>(at), dims.end(), [](const Dim& d) { return d.size == 1; });
  };
  while (i < from.size() || j < to.size()) {
    // Ones at the end belong to what stands before them.
    if (!out.empty() && (i == from.size() || j == to.size()) && only_ones(from, i) && only_ones(to, j)) {
      out.back().from_end = from.size();
      out.back().to_end = to.size();
      break;
    }
    AxisBlock block{i, 0, j, 0};
    if (!take_block(from, to, i, j)) return std::nullopt;
    block.from_end = i;
    block.to_end = j;
    out.push_back(block);
  }
  return out;
}

}  // namespace

std::optional<ReshapePush> push_through_reshape(const Dims& from, const Dims& to, const Permutation& perm) {
  if (!one_free_at_most(from) || !one_free_at_most(to) || from.size() != perm.size()) return std::nullopt;
  std::optional<std::vector<AxisBlock>> blocks = blocks_of(from, to);
  if (!blocks || blocks->size() < 2) return std::nullopt;
  // In the order in which they lie before the transposition, by their first axis that holds more than one element.
  auto place = [&](const AxisBlock& b) {
    int64_t first = perm[b.from_begin];
    bool single = true;
    for (size_t k = b.from_begin; k < b.from_end; ++k) {
      const bool one = from[k].size == 1;
      if (one && !single) continue;
      if (single && !one) first = perm[k];
      single = single && one;
      first = std::min(first, perm[k]);
    }
    return first;
  };
  std::ranges::stable_sort(*blocks, {}, place);
  ReshapePush push;
  std::vector<size_t> order;  // of the result's axes
  for (const AxisBlock& b : *blocks) {
    for (size_t k = b.from_begin; k < b.from_end; ++k) push.before.push_back(perm[k]);
    for (size_t k = b.to_begin; k < b.to_end; ++k) {
      order.push_back(k);
      push.target.push_back(to[k].known() ? to[k].size : -1);
    }
  }
  push.after.resize(order.size());
  for (size_t k = 0; k < order.size(); ++k) push.after[order[k]] = static_cast<int64_t>(k);
  if (is_identity(push.after)) return std::nullopt;
  return push;
}

}  // namespace oree
