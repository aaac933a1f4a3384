// SPDX-License-Identifier: Apache-2.0
// Reductions. Reals are summed in double and rounded once, so the order of the elements hardly matters; integers wrap.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// Which axes go, and how each input element finds its place in the output.
struct Plan {
  Shape out;
  Strides strides;      // of the output under the input's shape: 0 along what goes
  int64_t reduced = 1;  // input elements an output element
};

Result<Plan> plan_of(const KernelCall& call) {
  const Shape& shape = call.need(0).shape();
  std::vector<size_t> axes;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(std::vector<int64_t> given, int_list(call, 1));
    OREE_TRY_ASSIGN(axes, normal_axes(call, given, shape.size()));
  }
  if (axes.empty() && call.node.integer("noop_with_empty_axes", 0) == 0) {
    axes.resize(shape.size());
    std::iota(axes.begin(), axes.end(), size_t{0});
  }
  Plan plan;
  Shape kept = shape;
  for (size_t axis : axes) {
    plan.reduced *= shape[axis];
    kept[axis] = 1;
  }
  plan.strides = broadcast_strides(kept, shape);
  bool keep = call.node.integer("keepdims", 1) != 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (keep || std::ranges::find(axes, d) == axes.end()) plan.out.push_back(kept[d]);
  }
  return plan;
}

// Folds x into `into`, one place of it for each output element. f(so far, element, place).
template <typename T, typename F>
void fold(const Plan& plan, const Tensor& x, std::span<T> into, F f) {
  Elements<T> in(x);
  for (Walk w(x.shape(), {plan.strides}); !w.done(); w.next()) {
    T& so_far = into[static_cast<size_t>(w.at(0))];
    so_far = f(so_far, in[w.index()], w.at(0));
  }
}

// A reduction: what it starts from, what each element adds, and what becomes of the result and the count.
template <typename T>
struct Fold {
  T start;
  T (*add)(T, T);
  T (*finish)(T, int64_t);
};

template <typename T>
Status reduce(KernelCall& call, const Plan& plan, const Fold<T>& by) {
  Dtype dtype = call.need(0).dtype();
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, dtype, plan.out));
  std::ranges::fill(out.span(), by.start);
  fold<T>(plan, call.need(0), out.span(), [&](T so_far, T x, int64_t) { return by.add(so_far, x); });
  for (T& v : out.span()) v = by.finish(v, plan.reduced);
  call.set(0, std::move(out).take());
  return {};
}

// The domain in which a reduction computes: double for all reals.
template <typename F>
Status in_wide(Dtype dtype, F f) {
  if (dtype_is_float(dtype)) return f(double{});
  return dtype_is_signed(dtype) ? f(int64_t{}) : f(uint64_t{});
}

template <typename T>
T as_is(T v, int64_t) {
  return v;
}

// The same for numbers of any kind.
template <int Start, auto Add>
Status number(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY_ASSIGN(Plan plan, plan_of(call));
  return in_wide(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return reduce<T>(call, plan, {T{Start}, Add, as_is<T>});
  });
}

// Reductions that end in a root or a logarithm: through double for integers, too.
template <auto Add, auto Finish>
Status rooted(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY_ASSIGN(Plan plan, plan_of(call));
  return reduce<double>(call, plan, {0, Add, Finish});
}

template <typename T>
T magnitude(T x) {
  if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
  return x < T{} ? wrap_sub(T{}, x) : x;
}

Status run_mean(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY_ASSIGN(Plan plan, plan_of(call));
  Dtype dtype = call.need(0).dtype();
  if (!dtype_is_float(dtype) && plan.reduced == 0) return call.invalid("no integer is the mean of nothing");
  return in_wide(dtype, [&](auto zero) {
    using T = decltype(zero);
    auto add = [](T a, T b) { return wrap_add(a, b); };
    return reduce<T>(call, plan, {T{}, add, [](T sum, int64_t n) { return static_cast<T>(sum / static_cast<T>(n)); }});
  });
}

// The greatest or the least number of a type.
template <typename T>
T end_of(Dtype dtype, bool greatest) {
  if (dtype == Dtype::kBool) return static_cast<T>(greatest);
  Tensor t(dtype, {1});
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  narrow<double>(std::vector<double>{greatest ? kInfinity : -kInfinity}, t);  // saturates
  return Elements<T>(t)[0];
}

// The most extreme element; NaN wins. Nothing gives the type's other end.
template <auto Better>
Status extreme(KernelCall& call, bool largest) {
  OREE_TRY_ASSIGN(Plan plan, plan_of(call));
  Dtype dtype = call.need(0).dtype();
  return in_wide(dtype, [&](auto zero) {
    using T = decltype(zero);
    T start = end_of<T>(dtype, !largest);
    auto add = [](T a, T b) -> T { return a != a || Better(a, b) ? a : b; };
    return reduce<T>(call, plan, {start, add, as_is<T>});
  });
}

Status run_max(KernelCall& call) { return extreme<std::greater<>{}>(call, true); }
Status run_min(KernelCall& call) { return extreme<std::less<>{}>(call, false); }

// log(sum(exp(x))) = m + log(sum(exp(x - m))) for the largest m, which does not overflow.
Status run_log_sum_exp(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY_ASSIGN(Plan plan, plan_of(call));
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(NewElements<double> out, new_elements<double>(call, x.dtype(), plan.out));
  std::vector<double> largest(out.span().size(), -std::numeric_limits<double>::infinity());
  fold<double>(plan, x, largest, [](double m, double v, int64_t) { return v > m || std::isnan(v) ? v : m; });
  for (double& m : largest) m = std::isinf(m) ? 0 : m;  // infinity minus itself is no number
  fold<double>(plan, x, out.span(), [&](double sum, double v, int64_t place) {
    return sum + std::exp(v - largest[static_cast<size_t>(place)]);
  });
  for (int64_t i = 0; i < out.size(); ++i) out[i] = largest[static_cast<size_t>(i)] + std::log(out[i]);
  call.set(0, std::move(out).take());
  return {};
}

// --- the place of the most extreme element along one axis

template <auto Better>
Status arg(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", 0), x.shape().size()));
  AxisView v = view_at(x.shape(), axis);
  if (v.length == 0) return call.invalid("there is no element to choose");
  bool last = call.node.integer("select_last_index", 0) != 0;
  Shape shape = x.shape();
  shape[axis] = 1;
  if (call.node.integer("keepdims", 1) == 0) shape.erase(shape.begin() + static_cast<ptrdiff_t>(axis));
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt64, shape));
  with_domain(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Elements<T> in(x);
    for (int64_t i = 0; i < v.outer * v.inner; ++i) {
      int64_t first = i / v.inner * v.length * v.inner + i % v.inner;
      T best = in[first];
      for (int64_t k = 1; k < v.length; ++k) {
        T candidate = in[first + k * v.inner];
        bool wins = best == best && (candidate != candidate || Better(candidate, best));  // the first NaN stays
        if (!wins && !(last && candidate == best)) continue;
        best = candidate;
        out[i] = k;
      }
    }
  });
  call.set(0, std::move(out).take());
  return {};
}

// --- running sums and products along one axis

template <int Start, auto Add>
Status running(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(int64_t given, one_int(call, 1));
  if (x.dtype() == Dtype::kBool) return call.invalid("the input must be numbers, not bool");
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, given, x.shape().size()));
  bool exclusive = call.node.integer("exclusive", 0) != 0, reverse = call.node.integer("reverse", 0) != 0;
  AxisView v = view_at(x.shape(), axis);
  return in_wide(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    Elements<T> in(x);
    for (int64_t i = 0; v.length > 0 && i < v.outer * v.inner; ++i) {
      int64_t first = i / v.inner * v.length * v.inner + i % v.inner;
      T so_far{Start};
      for (int64_t k = 0; k < v.length; ++k) {
        int64_t at = first + (reverse ? v.length - 1 - k : k) * v.inner;
        T next = Add(so_far, in[at]);
        out[at] = exclusive ? so_far : next;
        so_far = next;
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

constexpr KernelEntry kTable[] = {
    {"ArgMax", arg<std::greater<>{}>},
    {"ArgMin", arg<std::less<>{}>},
    {"CumProd", running<1, [](auto a, auto b) { return wrap_mul(a, b); }>, 2},
    {"CumSum", running<0, [](auto a, auto b) { return wrap_add(a, b); }>, 2},
    {"ReduceL1", number<0, [](auto a, auto b) { return wrap_add(a, magnitude(b)); }>},
    {"ReduceL2", rooted<[](double a, double b) { return a + b * b; }, [](double s, int64_t) { return std::sqrt(s); }>},
    {"ReduceLogSum", rooted<[](double a, double b) { return a + b; }, [](double s, int64_t) { return std::log(s); }>},
    {"ReduceLogSumExp", run_log_sum_exp},
    {"ReduceMax", run_max},
    {"ReduceMean", run_mean},
    {"ReduceMin", run_min},
    {"ReduceProd", number<1, [](auto a, auto b) { return wrap_mul(a, b); }>},
    {"ReduceSum", number<0, [](auto a, auto b) { return wrap_add(a, b); }>},
    {"ReduceSumSquare", number<0, [](auto a, auto b) { return wrap_add(a, wrap_mul(b, b)); }>},
};

}  // namespace

const std::span<const KernelEntry> kReduceKernels = kTable;

}  // namespace oree
