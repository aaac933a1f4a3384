// SPDX-License-Identifier: Apache-2.0
// Operators that sort and find. NaN is above every number, and equal to itself.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

template <typename T>
bool below(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
  }
  return a < b;
}

Status run_top_k(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(int64_t k, one_int(call, 1));
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", -1), x.shape().size()));
  AxisView v = view_at(x.shape(), axis);
  if (k < 0 || k > v.length) return call.invalid(fmt::format("there are no {} of {}", k, v.length));
  bool largest = call.node.integer("largest", 1) != 0;
  Shape shape = x.shape();
  shape[axis] = k;
  OREE_TRY_ASSIGN(Tensor values, new_tensor(call, x.dtype(), shape));
  OREE_TRY_ASSIGN(NewElements<int64_t> places, new_elements<int64_t>(call, Dtype::kInt64, shape));
  Mover mover(x, values);
  with_domain(x.dtype(), [&](auto zero) {
    Elements<decltype(zero)> in(x);
    std::vector<int64_t> order(static_cast<size_t>(v.length));
    for (int64_t i = 0; v.length > 0 && i < v.outer * v.inner; ++i) {
      int64_t first = i / v.inner * v.length * v.inner + i % v.inner;
      int64_t out = i / v.inner * k * v.inner + i % v.inner;
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {  // stable: of equals the lower index first
        auto p = in[first + a * v.inner], q = in[first + b * v.inner];
        return largest ? below(q, p) : below(p, q);
      });
      for (int64_t r = 0; r < k; ++r) {
        int64_t place = order[static_cast<size_t>(r)];
        places[out + r * v.inner] = place;
        mover.copy(out + r * v.inner, first + place * v.inner);
      }
    }
  });
  call.set(0, std::move(values));
  call.set(1, std::move(places).take());
  return {};
}

Status run_non_zero(KernelCall& call) {
  const Tensor& x = call.need(0);
  return with_domain(x.dtype(), [&](auto zero) -> Status {
    Elements<decltype(zero)> in(x);
    auto rank = static_cast<int64_t>(x.shape().size());
    int64_t count = std::ranges::count_if(in.span(), [](auto v) { return v != decltype(zero){}; }), found = 0;
    OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt64, {rank, count}));
    for (Walk w(x.shape(), {}); !w.done(); w.next()) {
      if (in[w.index()] == decltype(zero){}) continue;
      for (int64_t d = 0; d < rank; ++d) out[d * count + found] = w.place()[static_cast<size_t>(d)];
      ++found;
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

// --- Unique

// Which of the slices along an axis are different, in the order of the output.
struct Groups {
  std::vector<int64_t> first;    // the first slice of each group
  std::vector<int64_t> count;    // slices of each
  std::vector<int64_t> inverse;  // the group of each slice
};

template <typename T>
Groups group_slices(const Tensor& x, const AxisView& v, bool sorted) {
  Elements<T> in(x);
  // -1, 0, 1: how slice a compares with slice b, element by element.
  auto compare = [&](int64_t a, int64_t b) {
    for (int64_t o = 0; o < v.outer; ++o) {
      for (int64_t i = 0; i < v.inner; ++i) {
        T p = in[(o * v.length + a) * v.inner + i], q = in[(o * v.length + b) * v.inner + i];
        if (below(p, q)) return -1;
        if (below(q, p)) return 1;
      }
    }
    return 0;
  };
  std::vector<int64_t> order(static_cast<size_t>(v.length));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return compare(a, b) < 0; });
  Groups out;
  out.inverse.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || compare(order[i - 1], order[i]) != 0) {
      out.first.push_back(order[i]);
      out.count.push_back(0);
    }
    ++out.count.back();
    out.inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(out.first.size()) - 1;
  }
  if (sorted) return out;
  // In the order of the first slices instead.
  std::vector<size_t> by_first(out.first.size()), rank(out.first.size());
  std::iota(by_first.begin(), by_first.end(), size_t{0});
  std::ranges::sort(by_first, {}, [&](size_t g) { return out.first[g]; });
  Groups turned;
  for (size_t i = 0; i < by_first.size(); ++i) {
    rank[by_first[i]] = i;
    turned.first.push_back(out.first[by_first[i]]);
    turned.count.push_back(out.count[by_first[i]]);
  }
  for (int64_t g : out.inverse) turned.inverse.push_back(static_cast<int64_t>(rank[static_cast<size_t>(g)]));
  return turned;
}

Tensor int_tensor(const std::vector<int64_t>& values) {
  Tensor out(Dtype::kInt64, {static_cast<int64_t>(values.size())});
  narrow<int64_t>(values, out);
  return out;
}

Status run_unique(KernelCall& call) {
  const Tensor& x = call.need(0);
  bool flat = call.node.find("axis") == nullptr;
  size_t axis = 0;
  if (!flat) {
    OREE_TRY_ASSIGN(axis, normal_axis(call, call.node.integer("axis", 0), x.shape().size()));
  }
  AxisView v = flat ? AxisView{1, x.elements(), 1} : view_at(x.shape(), axis);
  OREE_TRY(call.fits(Dtype::kInt64, {v.length}));
  bool sorted = call.node.integer("sorted", 1) != 0;
  Groups groups = with_domain(x.dtype(), [&](auto zero) { return group_slices<decltype(zero)>(x, v, sorted); });
  Shape shape = flat ? Shape{0} : x.shape();
  shape[axis] = static_cast<int64_t>(groups.first.size());
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  Mover mover(x, out);
  int64_t at = 0;
  for (int64_t o = 0; out.elements() > 0 && o < v.outer; ++o) {
    for (int64_t slice : groups.first) {
      mover.copy(at, (o * v.length + slice) * v.inner, v.inner);
      at += v.inner;
    }
  }
  call.set(0, std::move(out));
  call.set(1, int_tensor(groups.first));
  call.set(2, int_tensor(groups.inverse));
  call.set(3, int_tensor(groups.count));
  return {};
}

constexpr KernelEntry kTable[] = {
    {"NonZero", run_non_zero},
    {"TopK", run_top_k, 2},
    {"Unique", run_unique},
};

}  // namespace

const std::span<const KernelEntry> kSelectKernels = kTable;

}  // namespace oree
