// SPDX-License-Identifier: Apache-2.0
// Normalisations. Means and variances are summed in double precision, as nearly every engine sums them pairwise or
// wide.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

Status want_reals(const KernelCall& call) {
  return dtype_is_float(call.need(0).dtype()) ? Status() : call.invalid("the operand must be of a float type");
}

// Mean and variance (of the population) of `count` elements from x on, `stride` apart.
struct Moments {
  double mean = 0;
  double variance = 0;
};

template <typename T>
Moments moments(const T* x, int64_t count) {
  Moments m;
  for (int64_t i = 0; i < count; ++i) m.mean += static_cast<double>(x[i]);
  m.mean /= static_cast<double>(std::max<int64_t>(count, 1));
  for (int64_t i = 0; i < count; ++i)
    m.variance += (static_cast<double>(x[i]) - m.mean) * (static_cast<double>(x[i]) - m.mean);
  m.variance /= static_cast<double>(std::max<int64_t>(count, 1));
  return m;
}

Status want_channels(const KernelCall& call, size_t first, size_t last, int64_t channels) {
  for (size_t i = first; i <= last; ++i) {
    if (call.need(i).elements() != channels) {
      return call.invalid(
          fmt::format("input {} has {} elements for {} channels", i, call.need(i).elements(), channels));
    }
  }
  return {};
}

// [N, C, ...] with the moments of a running average, or in training of the batch.
Status run_batch_norm(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Tensor& x = call.need(0);
  const int64_t channels = x.shape().size() < 2 ? 1 : x.shape()[1];
  OREE_TRY(want_channels(call, 1, 4, channels));
  const double epsilon = static_cast<double>(call.node.real("epsilon", 1e-5f));
  const double momentum = static_cast<double>(call.node.real("momentum", 0.9f));
  const bool training = call.node.integer("training_mode", 0) != 0;
  return with_real(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    Elements<T> in(x), scale(call.need(1)), bias(call.need(2)), mean(call.need(3)), variance(call.need(4));
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    OREE_TRY_ASSIGN(NewElements<T> new_mean, new_elements<T>(call, call.need(3).dtype(), {channels}));
    OREE_TRY_ASSIGN(NewElements<T> new_variance, new_elements<T>(call, call.need(4).dtype(), {channels}));
    const int64_t batch = x.shape().empty() ? 1 : x.shape()[0];
    const int64_t inner = x.elements() / std::max<int64_t>(channels * batch, 1);
    std::vector<T> of_channel;
    for (int64_t c = 0; c < channels; ++c) {
      Moments m{static_cast<double>(mean[c]), static_cast<double>(variance[c])};
      if (training) {
        of_channel.clear();
        for (int64_t n = 0; n < batch; ++n) {
          for (int64_t i = 0; i < inner; ++i) of_channel.push_back(in[(n * channels + c) * inner + i]);
        }
        m = moments(of_channel.data(), static_cast<int64_t>(of_channel.size()));
        new_mean[c] = static_cast<T>(static_cast<double>(mean[c]) * momentum + m.mean * (1 - momentum));
        new_variance[c] = static_cast<T>(static_cast<double>(variance[c]) * momentum + m.variance * (1 - momentum));
      }
      const double factor = static_cast<double>(scale[c]) / std::sqrt(m.variance + epsilon);
      for (int64_t n = 0; n < batch; ++n) {
        for (int64_t i = 0; i < inner; ++i) {
          int64_t at = (n * channels + c) * inner + i;
          out[at] = static_cast<T>((static_cast<double>(in[at]) - m.mean) * factor + static_cast<double>(bias[c]));
        }
      }
    }
    call.set(0, std::move(out).take());
    // Outside of training the running averages stay what they are.
    call.set(1, training ? std::move(new_mean).take() : call.need(3));
    call.set(2, training ? std::move(new_variance).take() : call.need(4));
    return {};
  });
}

// Normalises runs of `run` elements; element i of the operand is scaled by scale[affine(i)] where there is one.
template <typename F>
Status normalise_runs(KernelCall& call, int64_t run, double epsilon, const Tensor* scale, const Tensor* bias,
                      F affine) {
  const Tensor& x = call.need(0);
  return with_real(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    Elements<T> in(x);
    std::vector<T> ones(1, T{1}), zeros(1, T{0});
    std::optional<Elements<T>> s, b;
    if (scale) s.emplace(*scale);
    if (bias) b.emplace(*bias);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    for (int64_t begin = 0; begin < in.size(); begin += run) {
      Moments m = moments(in.data() + begin, run);
      double factor = 1 / std::sqrt(m.variance + epsilon);
      for (int64_t i = begin; i < begin + run; ++i) {
        double y = (static_cast<double>(in[i]) - m.mean) * factor;
        if (s) y *= static_cast<double>((*s)[affine(i)]);
        if (b) y += static_cast<double>((*b)[affine(i)]);
        out[i] = static_cast<T>(y);
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

Status run_instance_norm(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Shape& x = call.need(0).shape();
  if (x.size() < 3) return call.invalid(fmt::format("an operand of shape {}", shape_text(x)));
  OREE_TRY(want_channels(call, 1, 2, x[1]));
  AxisView view = view_at(x, 1);
  if (view.inner == 0) return normalise_runs(call, 1, 1, nullptr, nullptr, [](int64_t) { return int64_t{0}; });
  return normalise_runs(call, view.inner, static_cast<double>(call.node.real("epsilon", 1e-5f)), &call.need(1),
                        &call.need(2), [&](int64_t i) { return i / view.inner % x[1]; });
}

Status run_group_norm(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Shape& x = call.need(0).shape();
  const int64_t groups = call.node.integer("num_groups", 0);
  if (x.size() < 2 || groups < 1 || x[1] % groups != 0 || x[1] == 0) {
    return call.invalid(fmt::format("{} groups over an operand of shape {}", groups, shape_text(x)));
  }
  OREE_TRY(want_channels(call, 1, 2, x[1]));
  int64_t inner = std::max<int64_t>(view_at(x, 1).inner, 1);
  return normalise_runs(call, x[1] / groups * inner, static_cast<double>(call.node.real("epsilon", 1e-5f)),
                        &call.need(1), &call.need(2), [&](int64_t i) { return i / inner % x[1]; });
}

// Elements from `axis` on, of which scale and bias must have as many or broadcast to them.
struct Tail {
  size_t axis = 0;
  int64_t run = 1;
};

Result<Tail> tail_of(const KernelCall& call) {
  const Shape& x = call.need(0).shape();
  Tail t;
  OREE_TRY_ASSIGN(t.axis, normal_axis(call, call.node.integer("axis", -1), x.size()));
  for (size_t i = t.axis; i < x.size(); ++i) t.run *= x[i];
  return t;
}

Status want_broadcast(const KernelCall& call, size_t input, const Shape& inner) {
  OREE_TRY_ASSIGN(Shape both, broadcast_shape(call, call.need(input).shape(), inner));
  return both == inner ? Status()
                       : call.invalid(fmt::format("input {} of shape {} does not fit {}", input,
                                                  shape_text(call.need(input).shape()), shape_text(inner)));
}

// For each element of the normalised axes, the element of the broadcast operand.
std::vector<int64_t> broadcast_index(const Shape& shape, const Shape& inner) {
  std::vector<int64_t> out;
  for (Walk w(inner, {broadcast_strides(shape, inner)}); !w.done(); w.next()) out.push_back(w.at(0));
  return out;
}

Status run_layer_norm(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Tail tail, tail_of(call));
  Shape inner(x.shape().begin() + static_cast<ptrdiff_t>(tail.axis), x.shape().end());
  for (size_t i = 1; i <= 2; ++i) {
    if (call.in(i)) OREE_TRY(want_broadcast(call, i, inner));
  }
  const double epsilon = static_cast<double>(call.node.real("epsilon", 1e-5f));
  std::vector<int64_t> scale_at = broadcast_index(call.need(1).shape(), inner);
  std::vector<int64_t> bias_at = call.in(2) ? broadcast_index(call.need(2).shape(), inner) : std::vector<int64_t>{};
  Shape moments_shape = x.shape();
  std::fill(moments_shape.begin() + static_cast<ptrdiff_t>(tail.axis), moments_shape.end(), 1);
  return with_real(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    Elements<T> in(x), scale(call.need(1));
    std::optional<Elements<T>> bias;
    if (call.in(2)) bias.emplace(call.need(2));
    Dtype stash = x.dtype() == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    OREE_TRY_ASSIGN(NewElements<T> means, new_elements<T>(call, stash, moments_shape));
    OREE_TRY_ASSIGN(NewElements<T> inverses, new_elements<T>(call, stash, moments_shape));
    for (int64_t run = 0; tail.run > 0 && run < means.size(); ++run) {
      Moments m = moments(in.data() + run * tail.run, tail.run);
      double factor = 1 / std::sqrt(m.variance + epsilon);
      means[run] = static_cast<T>(m.mean);
      inverses[run] = static_cast<T>(factor);
      for (int64_t i = 0; i < tail.run; ++i) {
        double y = (static_cast<double>(in[run * tail.run + i]) - m.mean) * factor *
                   static_cast<double>(scale[scale_at[static_cast<size_t>(i)]]);
        if (bias) y += static_cast<double>((*bias)[bias_at[static_cast<size_t>(i)]]);
        out[run * tail.run + i] = static_cast<T>(y);
      }
    }
    call.set(0, std::move(out).take());
    call.set(1, std::move(means).take());
    call.set(2, std::move(inverses).take());
    return {};
  });
}

// x / sqrt(mean(x^2) + epsilon) * scale, of the scale's type
Status run_rms_norm(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Tail tail, tail_of(call));
  Shape inner(x.shape().begin() + static_cast<ptrdiff_t>(tail.axis), x.shape().end());
  OREE_TRY(want_broadcast(call, 1, inner));
  std::vector<int64_t> scale_at = broadcast_index(call.need(1).shape(), inner);
  const double epsilon = static_cast<double>(call.node.real("epsilon", 1e-5f));
  return with_real(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    Elements<T> in(x), scale(call.need(1));
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(1).dtype(), x.shape()));
    for (int64_t begin = 0; tail.run > 0 && begin < in.size(); begin += tail.run) {
      double squares = 0;
      for (int64_t i = begin; i < begin + tail.run; ++i)
        squares += static_cast<double>(in[i]) * static_cast<double>(in[i]);
      double factor = 1 / std::sqrt(squares / static_cast<double>(tail.run) + epsilon);
      for (int64_t i = begin; i < begin + tail.run; ++i) {
        out[i] = static_cast<T>(static_cast<double>(in[i]) * factor *
                                static_cast<double>(scale[scale_at[static_cast<size_t>(i - begin)]]));
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

// Across channels: x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta
Status run_lrn(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Tensor& x = call.need(0);
  const int64_t size = call.node.integer("size", 0);
  if (x.shape().size() < 3 || size < 1)
    return call.invalid(fmt::format("size {} over an operand of shape {}", size, shape_text(x.shape())));
  const double alpha = static_cast<double>(call.node.real("alpha", 1e-4f)),
               beta = static_cast<double>(call.node.real("beta", 0.75f)),
               bias = static_cast<double>(call.node.real("bias", 1));
  AxisView view = view_at(x.shape(), 1);
  OREE_TRY(call.affordable(static_cast<double>(x.elements()) * static_cast<double>(std::min(size, view.length))));
  return with_real(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    Elements<T> in(x);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    for (int64_t i = 0; i < in.size(); ++i) {
      int64_t channel = i / view.inner % view.length;
      double squares = 0;
      int64_t last = std::min(view.length - 1, channel + size / 2);
      for (int64_t c = std::max<int64_t>(0, channel - (size - 1) / 2); c <= last; ++c) {
        double v = static_cast<double>(in[i + (c - channel) * view.inner]);
        squares += v * v;
      }
      out[i] = static_cast<T>(static_cast<double>(in[i]) /
                              std::pow(bias + alpha / static_cast<double>(size) * squares, beta));
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

// Groups the elements that differ only along `axes`: for each element, which group it is of.
std::vector<int64_t> groups_along(const Shape& shape, const std::vector<size_t>& axes, int64_t& count) {
  Shape kept = shape;
  for (size_t a : axes) kept[a] = 1;
  count = elements_of(kept);
  std::vector<int64_t> out;
  for (Walk w(shape, {broadcast_strides(kept, shape)}); !w.done(); w.next()) out.push_back(w.at(0));
  return out;
}

Status run_mean_variance(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Tensor& x = call.need(0);
  std::vector<int64_t> axes = call.node.integers("axes");
  if (!call.node.find("axes")) axes = {0, 2, 3};
  OREE_TRY_ASSIGN(std::vector<size_t> along, normal_axes(call, axes, x.shape().size()));
  int64_t count = 0;
  std::vector<int64_t> group = groups_along(x.shape(), along, count);
  return with_real(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    Elements<T> in(x);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    std::vector<std::vector<T>> members(static_cast<size_t>(count));
    for (int64_t i = 0; i < in.size(); ++i)
      members[static_cast<size_t>(group[static_cast<size_t>(i)])].push_back(in[i]);
    std::vector<Moments> m;
    for (const std::vector<T>& list : members) m.push_back(moments(list.data(), static_cast<int64_t>(list.size())));
    for (int64_t i = 0; i < in.size(); ++i) {
      const Moments& of = m[static_cast<size_t>(group[static_cast<size_t>(i)])];
      out[i] = static_cast<T>((static_cast<double>(in[i]) - of.mean) /
                              (std::sqrt(of.variance) + 1e-9));  // the specification's function adds 1e-9
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

Status run_lp_norm(KernelCall& call) {
  OREE_TRY(want_reals(call));
  const Tensor& x = call.need(0);
  const int64_t p = call.node.integer("p", 2);
  if (p != 1 && p != 2) return call.invalid(fmt::format("p of {}", p));
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", -1), x.shape().size()));
  int64_t count = 0;
  std::vector<int64_t> group = groups_along(x.shape(), {axis}, count);
  return with_real(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    Elements<T> in(x);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
    std::vector<double> norms(static_cast<size_t>(count), 0);
    for (int64_t i = 0; i < in.size(); ++i) {
      double v = static_cast<double>(in[i]);
      norms[static_cast<size_t>(group[static_cast<size_t>(i)])] += p == 1 ? std::abs(v) : v * v;
    }
    for (int64_t i = 0; i < in.size(); ++i) {
      double norm = norms[static_cast<size_t>(group[static_cast<size_t>(i)])];
      if (p == 2) norm = std::sqrt(norm);
      out[i] = norm == 0 ? T{0} : static_cast<T>(static_cast<double>(in[i]) / norm);
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

constexpr KernelEntry kTable[] = {
    {"BatchNormalization", run_batch_norm, 5},        {"GroupNormalization", run_group_norm, 3},
    {"InstanceNormalization", run_instance_norm, 3},  {"LRN", run_lrn},
    {"LayerNormalization", run_layer_norm, 2},        {"LpNormalization", run_lp_norm},
    {"MeanVarianceNormalization", run_mean_variance}, {"RMSNormalization", run_rms_norm, 2},
};

}  // namespace

const std::span<const KernelEntry> kNormaliseKernels = kTable;

}  // namespace oree
