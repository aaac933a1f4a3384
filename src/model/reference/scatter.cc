// SPDX-License-Identifier: Apache-2.0
// Operators that place elements by indices. Where an index comes twice, the later update comes on top.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/reference/elementwise.h"
#include "model/reference/indices.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// What happens when an update meets what is there.
enum class Reduction { kNone, kAdd, kMul, kMax, kMin };

Result<Reduction> reduction_of(const KernelCall& call) {
  std::string text = call.node.text("reduction", "none");
  if (text == "none") return Reduction::kNone;
  if (text == "add") return Reduction::kAdd;
  if (text == "mul") return Reduction::kMul;
  if (text == "max") return Reduction::kMax;
  if (text == "min") return Reduction::kMin;
  return call.invalid(fmt::format("there is no reduction '{}'", text));
}

template <typename T>
T combined(Reduction reduction, T old, T update) {
  switch (reduction) {
    case Reduction::kNone: break;
    case Reduction::kAdd: return wrap_add(old, update);
    case Reduction::kMul: return wrap_mul(old, update);
    case Reduction::kMax: return old != old || old > update ? old : update;
    case Reduction::kMin: return old != old || old < update ? old : update;
  }
  return update;
}

// Input 0 with the runs of `length` elements of input 2 placed at `offsets`, one after the other.
Status set_scattered(KernelCall& call, const std::vector<int64_t>& offsets, int64_t length) {
  const Tensor &x = call.need(0), &updates = call.need(2);
  OREE_TRY_ASSIGN(Reduction reduction, reduction_of(call));
  if (updates.dtype() != x.dtype()) return call.invalid("updates must have the data's type");
  if (reduction == Reduction::kNone) {
    Tensor out = x;
    Mover mover(updates, out);
    for (size_t i = 0; i < offsets.size(); ++i) mover.copy(offsets[i], static_cast<int64_t>(i) * length, length);
    call.set(0, std::move(out));
    return {};
  }
  return with_domain(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    Elements<T> old(x), update(updates);
    std::ranges::copy(old.span(), out.span().begin());
    for (size_t i = 0; i < offsets.size(); ++i) {
      for (int64_t k = 0; k < length; ++k) {
        T& place = out[offsets[i] + k];
        place = combined(reduction, place, update[static_cast<int64_t>(i) * length + k]);
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

Status run_scatter_elements(KernelCall& call) {
  const Shape &x = call.need(0).shape(), &indices = call.need(1).shape();
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", 0), x.size()));
  OREE_TRY(indices_fit(call, x, indices, axis));
  if (call.need(2).shape() != indices) return call.invalid("updates must have the indices' shape");
  OREE_TRY_ASSIGN(std::vector<int64_t> places, indices_within(call, 1, x[axis]));
  Strides strides = strides_of(x);
  int64_t step = std::exchange(strides[axis], 0);
  for (Walk w(indices, {strides}); !w.done(); w.next()) {
    int64_t& place = places[static_cast<size_t>(w.index())];
    place = w.at(0) + place * step;
  }
  return set_scattered(call, places, 1);
}

// updates [i…, rest…] go to x[n numbers of indices [i…, n], rest…].
Status run_scatter_nd(KernelCall& call) {
  const Shape &x = call.need(0).shape(), &indices = call.need(1).shape();
  if (indices.empty() || x.empty()) return call.invalid("data and indices must have a dimension");
  if (indices.back() < 1 || indices.back() > static_cast<int64_t>(x.size())) {
    return call.invalid(fmt::format("{} indices into {}", indices.back(), shape_text(x)));
  }
  Shape expected(indices.begin(), indices.end() - 1);
  expected.insert(expected.end(), x.begin() + indices.back(), x.end());
  if (call.need(2).shape() != expected) {
    return call.invalid(fmt::format("updates must have the shape {}", shape_text(expected)));
  }
  OREE_TRY_ASSIGN(std::vector<int64_t> offsets, slice_offsets(call, x, 1, 0));
  int64_t length = elements_of(Shape(x.begin() + indices.back(), x.end()));
  return set_scattered(call, offsets, length);
}

// A cache [B, …, S, …] takes `update` [B, …, s, …] from the place on that write_indices [B] say, or from 0.
Status run_tensor_scatter(KernelCall& call) {
  const Tensor &cache = call.need(0), &update = call.need(1);
  if (update.dtype() != cache.dtype()) return call.invalid("the update must have the cache's type");
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", -2), cache.shape().size()));
  Shape expected = cache.shape();
  if (update.shape().size() == expected.size()) expected[axis] = update.shape()[axis];
  if (update.shape() != expected || axis == 0) return call.invalid("the update does not fit the cache");
  std::string mode = call.node.text("mode", "linear");
  if (mode != "linear" && mode != "circular") return call.invalid("mode must be linear or circular");
  AxisView all = view_at(cache.shape(), axis), some = view_at(update.shape(), axis);
  int64_t batches = cache.shape()[0];
  std::vector<int64_t> first(static_cast<size_t>(batches), 0);
  if (call.in(2)) {
    OREE_TRY_ASSIGN(first, index_input(call, 2));
  }
  if (static_cast<int64_t>(first.size()) != batches) return call.invalid("one index a batch");
  for (int64_t at : first) {
    bool fits = at >= 0 && some.length <= all.length && (mode == "circular" || at <= all.length - some.length);
    if (!fits) return call.invalid(fmt::format("an update of {} at {} of {}", some.length, at, all.length));
  }
  Tensor out = cache;
  Mover mover(update, out);
  for (int64_t o = 0; out.elements() > 0 && o < all.outer; ++o) {
    int64_t start = first[static_cast<size_t>(o / (all.outer / batches))] % all.length;
    for (int64_t i = 0; i < some.length; ++i) {
      int64_t place = (start + i) % all.length;
      mover.copy((o * all.length + place) * all.inner, (o * some.length + i) * all.inner, all.inner);
    }
  }
  call.set(0, std::move(out));
  return {};
}

constexpr KernelEntry kTable[] = {
    {"ScatterElements", run_scatter_elements, 3},
    {"ScatterND", run_scatter_nd, 3},
    {"TensorScatter", run_tensor_scatter, 2},
};

}  // namespace

const std::span<const KernelEntry> kScatterKernels = kTable;

}  // namespace oree
