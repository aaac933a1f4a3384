// SPDX-License-Identifier: Apache-2.0
// Pools over [N, C, ...].
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"
#include "model/reference/window.h"

namespace oree {
namespace {

struct Pool {
  std::vector<AxisWindow> windows;
  int64_t planes = 0;  // batch * channels
  int64_t in = 1;
  int64_t out = 1;
  Shape shape;
};

Result<Pool> pool_of(const KernelCall& call, bool global) {
  const Shape& x = call.need(0).shape();
  if (x.size() < 3) return call.invalid(fmt::format("an operand of shape {}", shape_text(x)));
  Pool p;
  if (global) {
    for (size_t i = 2; i < x.size(); ++i) p.windows.push_back({x[i], 1, 1, 0, 0, x[i], 1});
  } else {
    OREE_TRY_ASSIGN(p.windows,
                    windows_of(call, x, call.node.integers("kernel_shape"), call.node.integer("ceil_mode", 0) != 0));
  }
  p.planes = x[0] * x[1];
  p.shape = {x[0], x[1]};
  for (const AxisWindow& w : p.windows) {
    p.in *= w.in;
    p.out *= w.out;
    p.shape.push_back(w.out);
  }
  return p;
}

// f(plane's first element, taps) for each element of the result.
template <typename T, typename F>
Status pool(KernelCall& call, bool global, F f) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Pool p, pool_of(call, global));
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), p.shape));
  Elements<T> in(x);
  for (Taps taps(p.windows); !taps.done(); taps.next()) {
    for (int64_t plane = 0; plane < p.planes; ++plane) {
      out[plane * p.out + taps.index()] = f(in.data() + plane * p.in, taps);
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

template <typename F>
Status real_pool(KernelCall& call, bool global, F f) {
  if (!dtype_is_float(call.need(0).dtype())) return call.unsupported("a pool of integers");
  return with_real(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return pool<T>(call, global, [&](const T* x, const Taps& taps) -> T { return f(x, taps, T{}); });
  });
}

Status average(KernelCall& call, bool global) {
  bool count_pads = call.node.integer("count_include_pad", 0) != 0;
  return real_pool(call, global, [&](const auto* x, const Taps& taps, auto sum) {
    for (const Tap& t : taps.at()) sum += x[t.in];
    auto count =
        static_cast<decltype(sum)>(count_pads && !global ? taps.padded() : static_cast<int64_t>(taps.at().size()));
    return count > 0 ? sum / count : sum;
  });
}

Status lp(KernelCall& call, bool global) {
  int64_t p = call.node.integer("p", 2);
  if (p < 1) return call.invalid(fmt::format("p of {}", p));
  return real_pool(call, global, [&](const auto* x, const Taps& taps, auto sum) {
    using T = decltype(sum);
    for (const Tap& t : taps.at()) sum += std::pow(std::abs(x[t.in]), static_cast<T>(p));
    return std::pow(sum, 1 / static_cast<T>(p));
  });
}

Status run_average(KernelCall& call) { return average(call, false); }
Status run_global_average(KernelCall& call) { return average(call, true); }
Status run_lp(KernelCall& call) { return lp(call, false); }
Status run_global_lp(KernelCall& call) { return lp(call, true); }

Status maximum(KernelCall& call, bool global) {
  OREE_TRY_ASSIGN(Pool p, pool_of(call, global));
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(NewElements<int64_t> places, new_elements<int64_t>(call, Dtype::kInt64, p.shape));
  // storage_order 1 counts a plane's elements column by column, the last axis slowest.
  bool by_columns = call.node.integer("storage_order", 0) != 0;
  auto place = [&](int64_t flat) {
    if (!by_columns) return flat;
    int64_t out = 0;
    std::vector<int64_t> coordinates(p.windows.size());
    for (size_t i = p.windows.size(); i-- > 0; flat /= p.windows[i].in) coordinates[i] = flat % p.windows[i].in;
    for (size_t i = p.windows.size(); i-- > 0;) out = out * p.windows[i].in + coordinates[i];
    return out;
  };
  Status status = with_domain(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), p.shape));
    Elements<T> in(x);
    for (Taps taps(p.windows); !taps.done(); taps.next()) {
      if (taps.at().empty()) return call.invalid("a window lies wholly in the padding");
      for (int64_t plane = 0; plane < p.planes; ++plane) {
        int64_t best = taps.at()[0].in;
        for (const Tap& t : taps.at()) {
          if (in[plane * p.in + t.in] > in[plane * p.in + best]) best = t.in;
        }
        int64_t i = plane * p.out + taps.index();
        out[i] = in[plane * p.in + best];
        places[i] = plane * p.in + place(best);
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
  OREE_TRY(status);
  call.set(1, std::move(places).take());
  return {};
}

Status run_max(KernelCall& call) { return maximum(call, false); }
Status run_global_max(KernelCall& call) { return maximum(call, true); }

// Puts each element where MaxPool found it. The places count within the smallest operand that the pool could have had.
Status run_max_unpool(KernelCall& call) {
  const Tensor &x = call.need(0), &places = call.need(1);
  if (places.shape() != x.shape() || x.shape().size() < 3) return call.invalid("one place an element is wanted");
  std::vector<int64_t> kernel = call.node.integers("kernel_shape"), strides = call.node.integers("strides"),
                       pads = call.node.integers("pads");
  size_t n = x.shape().size() - 2;
  if (strides.empty()) strides.assign(n, 1);
  if (pads.empty()) pads.assign(2 * n, 0);
  if (kernel.size() != n || strides.size() != n || pads.size() != 2 * n)
    return call.invalid("kernel_shape, strides and pads do not fit the operand");
  Shape inferred(x.shape().begin(), x.shape().begin() + 2);
  for (size_t i = 0; i < n; ++i) {
    if (x.shape()[i + 2] < 1 || strides[i] < 1 || kernel[i] < 1 || strides[i] > INT32_MAX || kernel[i] > INT32_MAX)
      return call.invalid("kernel_shape or strides");
    inferred.push_back((x.shape()[i + 2] - 1) * strides[i] - pads[i] - pads[n + i] + kernel[i]);
  }
  Shape shape = inferred;
  if (call.in(2)) {
    OREE_TRY_ASSIGN(shape, int_list(call, 2));
    if (shape.size() != inferred.size()) return call.invalid("output_shape does not fit the operand");
  }
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  Elements<int64_t> at(places);
  // A place within `inferred`, as one within `shape`.
  auto inferred_count = shape_elements(inferred);
  if (!inferred_count) return call.invalid(inferred_count.error().message());
  Strides to = strides_of(shape);
  Mover mover(x, out);
  for (int64_t i = 0; i < at.size(); ++i) {
    int64_t rest = at[i], target = 0;
    if (rest < 0 || rest >= *inferred_count)
      return call.invalid(fmt::format("a place of {}, outside of {}", rest, shape_text(inferred)));
    for (size_t axis = shape.size(); axis-- > 0; rest /= inferred[axis]) {
      int64_t coordinate = rest % inferred[axis];
      if (coordinate >= shape[axis]) return call.invalid("a place outside of output_shape");
      target += coordinate * to[axis];
    }
    mover.copy(target, i);
  }
  call.set(0, std::move(out));
  return {};
}

constexpr KernelEntry kTable[] = {
    {"AveragePool", run_average},
    {"GlobalAveragePool", run_global_average},
    {"GlobalLpPool", run_global_lp},
    {"GlobalMaxPool", run_global_max},
    {"LpPool", run_lp},
    {"MaxPool", run_max},
    {"MaxUnpool", run_max_unpool, 2},
};

}  // namespace

const std::span<const KernelEntry> kPoolKernels = kTable;

}  // namespace oree
