// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/gram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "optimize/quantize/loops.h"
#include "optimize/quantize/rounding.h"

namespace oree {

Result<GramMatrix> GramMatrix::for_layer(const Graph& graph, NodeId id, int64_t patches_max) {
  OREE_ASSERT(patches_max > 0);
  const Node& node = graph.node(id);
  const Constant* w = graph.constant(node.input(1));
  if (w == nullptr) return Error(Code::kUnsupported, fmt::format("{}'s weights are no constant", node.op));
  GramMatrix gram;
  gram.patches_max_ = patches_max;
  if (node.is("Conv")) {
    OREE_TRY(gram.set_convolution(node, w->shape()));
  } else if ((node.is("Gemm") && node.integer("transA", 0) == 0) || node.is("MatMul")) {
    if (w->shape().size() != 2) {
      return Error(Code::kUnsupported,
                   fmt::format("{}: expected weights of rank 2, found {}", node.op, shape_text(w->shape())));
    }
    gram.k_ = gram.inputs_a_group_ = w->shape()[node.is("Gemm") && node.integer("transB", 0) != 0 ? 1 : 0];
  } else {
    return Error(Code::kUnsupported, fmt::format("{} has no columns of inputs", node.op));
  }
  if (gram.k_ < 1 || gram.k_ > kRoundedInputsMax ||
      gram.groups_ > kRoundedInputsMax * kRoundedInputsMax / (gram.k_ * gram.k_)) {
    return Error(Code::kUnsupported, fmt::format("{}: {} groups of {} inputs a channel, at most 1 of {}", node.op,
                                                 gram.groups_, gram.k_, kRoundedInputsMax));
  }
  gram.sums_.assign(static_cast<size_t>(gram.groups_ * gram.k_ * gram.k_), 0);
  gram.firsts_.assign(static_cast<size_t>(gram.groups_ * gram.k_), 0);
  return gram;
}

bool GramMatrix::like(const GramMatrix& other) const {
  return convolution_ == other.convolution_ && axes_ == other.axes_ && auto_pad_ == other.auto_pad_ &&
         groups_ == other.groups_ && k_ == other.k_ && patches_max_ == other.patches_max_;
}

Status GramMatrix::set_convolution(const Node& node, const Shape& weights) {
  convolution_ = true;
  groups_ = node.integer("group", 1);
  if (weights.size() < 3 || groups_ < 1) {
    return Error(Code::kUnsupported, fmt::format("Conv with weights {} in {} groups", shape_text(weights), groups_));
  }
  size_t spatial = weights.size() - 2;
  inputs_a_group_ = k_ = weights[1];
  std::vector<int64_t> strides = node.integers("strides"), dilations = node.integers("dilations"),
                       pads = node.integers("pads");
  auto_pad_ = node.text("auto_pad", "NOTSET");
  auto at = [](const std::vector<int64_t>& list, size_t i, int64_t otherwise) {
    return i < list.size() ? list[i] : otherwise;
  };
  for (size_t i = 0; i < spatial; ++i) {
    Axis a{weights[2 + i], at(strides, i, 1), at(dilations, i, 1), at(pads, i, 0), at(pads, spatial + i, 0)};
    if (auto_pad_ != "NOTSET") a.pad_begin = a.pad_end = 0;
    if (a.kernel < 1 || a.stride < 1 || a.dilation < 1 || a.pad_begin < 0 || a.pad_end < 0) {
      return Error(Code::kUnsupported, fmt::format("Conv with kernel {}, stride {}, dilation {}, pads {} and {}",
                                                   a.kernel, a.stride, a.dilation, a.pad_begin, a.pad_end));
    }
    if (a.kernel > kRoundedInputsMax) return Error(Code::kUnsupported, fmt::format("Conv with kernel {}", a.kernel));
    k_ = std::min(k_ * a.kernel, kTensorElementsMax);
    axes_.push_back(a);
  }
  return {};
}

Result<std::vector<int64_t>> GramMatrix::places_of(const Shape& shape) const {
  if (!convolution_) {
    if (shape.empty() || shape.back() != k_)
      return Error(Code::kInvalid, fmt::format("expected rows of {}, found {}", k_, shape_text(shape)));
    return std::vector<int64_t>{};
  }
  if (shape.size() != axes_.size() + 2 || shape[1] != groups_ * inputs_a_group_) {
    return Error(Code::kInvalid, fmt::format("expected {} channels and {} axes behind, found {}",
                                             groups_ * inputs_a_group_, axes_.size(), shape_text(shape)));
  }
  std::vector<int64_t> places;
  for (size_t i = 0; i < axes_.size(); ++i) {
    const Axis& a = axes_[i];
    int64_t reach = (a.kernel - 1) * a.dilation + 1, size = shape[2 + i];
    bool same = auto_pad_.starts_with("SAME");
    int64_t left = size + a.pad_begin + a.pad_end - reach;
    places.push_back(same ? (size + a.stride - 1) / a.stride : left < 0 ? 0 : left / a.stride + 1);
  }
  return places;
}

// Where each tap of the kernel falls within a channel's area; -1: beyond its borders.
std::vector<int64_t> GramMatrix::taps_of(const Shape& shape, const std::vector<int64_t>& places, int64_t place) const {
  int64_t taps = 1;
  for (const Axis& a : axes_) taps *= a.kernel;
  std::vector<int64_t> offsets;
  for (int64_t tap = 0; tap < taps; ++tap) {
    int64_t offset = 0, step = 1, tap_left = tap, place_left = place;
    bool inside = true;
    for (size_t i = axes_.size(); i-- > 0;) {
      const Axis& a = axes_[i];
      int64_t size = shape[2 + i], begin = a.pad_begin;
      if (auto_pad_.starts_with("SAME")) {
        int64_t pad = std::max<int64_t>(0, (places[i] - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 - size);
        begin = auto_pad_ == "SAME_LOWER" ? pad - pad / 2 : pad / 2;
      }
      int64_t x = place_left % places[i] * a.stride - begin + tap_left % a.kernel * a.dilation;
      inside = inside && x >= 0 && x < size;
      offset += x * step;
      step *= size;
      place_left /= places[i];
      tap_left /= a.kernel;
    }
    offsets.push_back(inside ? offset : -1);
  }
  return offsets;
}

// One column: what the kernel sees of a group's channels at a place, zeros beyond the borders.
void GramMatrix::fill(const float* channels, int64_t area, const std::vector<int64_t>& taps, float* row) const {
  for (size_t tap = 0; tap < taps.size(); ++tap) {
    const int64_t offset = taps[tap];
    float* to = row + tap;
    for (int64_t c = 0; c < inputs_a_group_; ++c, to += taps.size())
      *to = offset < 0 ? 0.0F : channels[c * area + offset];
  }
}

void GramMatrix::sum_up(int64_t group, const std::vector<float>& rows) {
  auto k = static_cast<size_t>(k_);
  double* sums = &sums_[static_cast<size_t>(group) * k * k];
  double* firsts = &firsts_[static_cast<size_t>(group) * k];
  for (size_t i = 0; i < k; ++i) {
    float x[kOuterRows];
    bool nothing = true;
    for (size_t r = 0; r < kOuterRows; ++r) {
      x[r] = rows[r * k + i];
      nothing = nothing && x[r] == 0;
      firsts[i] += static_cast<double>(x[r]);
    }
    if (!nothing) add_products(sums + i * k + i, x, rows.data() + i, k, k - i);
  }
}

Status GramMatrix::add(const Tensor& input) {
  if (input.dtype() != Dtype::kFloat32)
    return Error(Code::kInvalid, fmt::format("expected float32, found {}", dtype_name(input.dtype())));
  if (!std::ranges::all_of(input.as<float>(), [](float v) { return std::isfinite(v); }))
    return Error(Code::kInvalid, "an element is NaN or infinite");
  const Shape& shape = input.shape();
  OREE_TRY_ASSIGN(std::vector<int64_t> places, places_of(shape));
  int64_t a_sample = 1, area = 1;
  for (int64_t p : places) a_sample *= p;
  for (size_t i = 2; convolution_ && i < shape.size(); ++i) area *= shape[i];
  int64_t total = convolution_ ? shape[0] * a_sample : input.elements() / k_;
  int64_t count = std::min(total, patches_max_);
  if (count == 0) return {};
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i) {
    // A place within each of `count` equal parts, by multiples of the golden ratio.
    double within = std::fmod(static_cast<double>(++taken_ % 1000003) * 0.6180339887498949, 1.0);
    double at = (static_cast<double>(i) + within) * static_cast<double>(total) / static_cast<double>(count);
    chosen.push_back(count == total ? i : std::min(total - 1, static_cast<int64_t>(at)));
  }
  const float* x = input.as<float>().data();
  const auto k = static_cast<size_t>(k_);
  std::vector<float> rows(kOuterRows * k, 0);
  for (size_t begin = 0; begin < chosen.size(); begin += kOuterRows) {
    const size_t n = std::min(kOuterRows, chosen.size() - begin);
    if (n < kOuterRows) std::ranges::fill(rows, 0.0F);
    std::vector<std::vector<int64_t>> taps;
    for (size_t r = 0; convolution_ && r < n; ++r) taps.push_back(taps_of(shape, places, chosen[begin + r] % a_sample));
    for (int64_t group = 0; group < groups_; ++group) {
      for (size_t r = 0; r < n; ++r) {
        const int64_t at = chosen[begin + r];
        if (convolution_) {
          fill(x + (at / a_sample * groups_ + group) * inputs_a_group_ * area, area, taps[r], &rows[r * k]);
        } else {
          std::copy_n(x + at * k_, k, &rows[r * k]);
        }
      }
      sum_up(group, rows);
    }
  }
  columns_ += count;
  return {};
}

std::vector<float> GramMatrix::matrix(int64_t group, bool about_mean) const {
  OREE_ASSERT(group >= 0 && group < groups_);
  auto k = static_cast<size_t>(k_);
  std::vector<float> out(k * k, 0);
  if (columns_ == 0) return out;
  const double* sums = &sums_[static_cast<size_t>(group) * k * k];
  const double* firsts = &firsts_[static_cast<size_t>(group) * k];
  const auto n = static_cast<double>(columns_);
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = i; j < k; ++j) {
      double value = sums[i * k + j] / n;
      if (about_mean) value -= firsts[i] / n * (firsts[j] / n);
      out[i * k + j] = out[j * k + i] = static_cast<float>(value);
    }
  }
  return out;
}

}  // namespace oree
