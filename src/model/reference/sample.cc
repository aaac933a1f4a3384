// SPDX-License-Identifier: Apache-2.0
// Sampling of images at places between their elements: GridSample, and the grids that AffineGrid makes for it.
// Coordinates are computed in the grid's own precision, as engines do: which element is nearest hangs on
// it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

constexpr size_t kSampledAxesMax = 6;  // a cubic sample takes 4 elements along each
constexpr double kFarOutside = 0x1p40;

enum class Padding { kZeros, kBorder, kReflection };

struct Sampling {
  std::string mode;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

struct Part {
  int64_t at = 0;  // -1: outside, nothing is there
  double weight = 1;
};

// Back and forth between the borders until it lies within.
template <typename T>
T reflect(T x, T low, T high) {
  const T range = high - low;
  if (!(range > 0)) return low;
  T beyond = x < low ? low - x : x - high;
  if (!(beyond > 0)) return x;
  T turns = std::floor(beyond / range), rest = beyond - turns * range;
  bool even = std::fmod(turns, T{2}) == 0;
  return (x < low) == even ? low + rest : high - rest;
}

// Which element an index beyond the border stands for; -1: none.
int64_t element_of(const Sampling& s, int64_t index, int64_t size) {
  if (index >= 0 && index < size) return index;
  if (s.padding == Padding::kZeros) return -1;
  if (s.padding == Padding::kReflection) {
    const double low = s.align_corners ? 0 : -0.5, high = static_cast<double>(size) - (s.align_corners ? 1 : 0.5);
    index = static_cast<int64_t>(reflect(static_cast<double>(index), low, high));
  }
  return std::clamp<int64_t>(index, 0, size - 1);
}

// The elements of one axis that a coordinate in [-1, 1] takes part of.
template <typename T>
void parts_of(const Sampling& s, T coordinate, int64_t size, std::vector<Part>& parts) {
  const T n = static_cast<T>(size);
  const T low = s.align_corners ? T{0} : T{-0.5}, high = s.align_corners ? n - 1 : n - T{0.5};
  T x = s.align_corners ? (coordinate + 1) / 2 * (n - 1) : ((coordinate + 1) * n - 1) / 2;
  if (s.mode == "nearest") x = std::nearbyint(x);
  if (x < low || x > high) {
    // A cubic curve goes on over the border's repeated elements: so PyTorch and ONNX Runtime have it, where ONNX's own
    // evaluator stops at the border.
    if (s.padding == Padding::kBorder && s.mode != "cubic") x = std::clamp<T>(x, 0, n - 1);
    if (s.padding == Padding::kReflection) x = reflect(x, low, high);
  }
  // What is infinitely far, or no number, is outside like anything else that is.
  if (!(std::abs(x) < static_cast<T>(kFarOutside))) x = static_cast<T>(kFarOutside);
  parts.clear();
  const auto first = static_cast<int64_t>(std::floor(x));
  const double f = static_cast<double>(x - std::floor(x));
  if (s.mode == "nearest") {
    parts.push_back({element_of(s, static_cast<int64_t>(x), size), 1});
  } else if (s.mode == "linear") {
    parts.push_back({element_of(s, first, size), 1 - f});
    parts.push_back({element_of(s, first + 1, size), f});
  } else {  // Keys' cubic convolution
    constexpr double kA = -0.75;
    auto near = [](double d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
    auto far = [](double d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
    const double weights[] = {far(1 + f), near(f), near(1 - f), far(2 - f)};
    for (int64_t i = 0; i < 4; ++i) parts.push_back({element_of(s, first - 1 + i, size), weights[i]});
  }
}

Result<Sampling> sampling_of(const KernelCall& call) {
  Sampling s;
  s.mode = call.node.text("mode", "linear");
  if (s.mode != "linear" && s.mode != "nearest" && s.mode != "cubic")
    return call.invalid(fmt::format("mode '{}'", s.mode.substr(0, 32)));
  std::string padding = call.node.text("padding_mode", "zeros");
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    return call.invalid(fmt::format("padding_mode '{}'", padding.substr(0, 32)));
  s.padding = padding == "zeros" ? Padding::kZeros : padding == "border" ? Padding::kBorder : Padding::kReflection;
  s.align_corners = call.node.integer("align_corners", 0) != 0;
  return s;
}

// The weighted elements of an image of shape `size` at one place of the grid, whose coordinates name the last axis
// first.
template <typename G>
class Sampler {
 public:
  Sampler(Sampling sampling, Shape size) : sampling_(std::move(sampling)), size_(std::move(size)) {}
  const std::vector<Part>& at(const G* coordinates) {
    taps_.assign(1, Part{});
    for (size_t axis = 0; axis < size_.size(); ++axis) {
      parts_of<G>(sampling_, coordinates[size_.size() - 1 - axis], size_[axis], parts_);
      longer_.clear();
      for (const Part& t : taps_) {
        for (const Part& p : parts_) {
          if (p.at >= 0) longer_.push_back({t.at * size_[axis] + p.at, t.weight * p.weight});
        }
      }
      taps_.swap(longer_);
    }
    return taps_;
  }

 private:
  Sampling sampling_;
  Shape size_;
  std::vector<Part> taps_, longer_, parts_;
};

struct SamplePlan {
  Sampling sampling;
  Shape size;      // of the image
  int64_t in = 1;  // elements of one channel
  Shape out;
  int64_t places = 1;  // of the grid, of one sample of the batch
};

Result<SamplePlan> plan_samples(const KernelCall& call) {
  const Tensor &x = call.need(0), &grid = call.need(1);
  SamplePlan p;
  OREE_TRY_ASSIGN(p.sampling, sampling_of(call));
  const size_t rank = x.shape().size();
  if (!dtype_is_float(grid.dtype()) || rank < 3 || grid.shape().size() != rank || grid.shape()[0] != x.shape()[0] ||
      grid.shape().back() != static_cast<int64_t>(rank - 2)) {
    return call.invalid(fmt::format("a grid of shape {} for {}", shape_text(grid.shape()), shape_text(x.shape())));
  }
  if (rank - 2 > kSampledAxesMax) return call.unsupported(fmt::format("{} axes to sample along", rank - 2));
  p.size.assign(x.shape().begin() + 2, x.shape().end());
  p.in = elements_of(p.size);
  p.out = {x.shape()[0], x.shape()[1]};
  for (size_t i = 1; i + 1 < rank; ++i) {
    p.out.push_back(grid.shape()[i]);
    p.places *= grid.shape()[i];
  }
  OREE_TRY(call.fits(x.dtype(), p.out));
  if (p.in == 0 && elements_of(p.out) > 0) return call.invalid("there is nothing to sample");
  double taps = std::pow(p.sampling.mode == "cubic" ? 4 : 2, static_cast<double>(rank - 2));
  OREE_TRY(call.affordable(taps * static_cast<double>(p.places) * static_cast<double>(x.shape()[0]) *
                           static_cast<double>(x.shape()[1] + 1)));
  return p;
}

template <typename T, typename G>
Status sample(KernelCall& call, const SamplePlan& plan) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), plan.out));
  Elements<T> in(x);
  Elements<G> grid(call.need(1));
  Sampler<G> sampler(plan.sampling, plan.size);
  const int64_t channels = plan.out[1];
  const auto axes = static_cast<int64_t>(plan.size.size());
  const bool moved = plan.sampling.mode == "nearest";  // integers of 64 bits, too
  for (int64_t n = 0; channels > 0 && n < plan.out[0]; ++n) {
    for (int64_t place = 0; place < plan.places; ++place) {
      const std::vector<Part>& taps = sampler.at(grid.data() + (n * plan.places + place) * axes);
      for (int64_t c = 0; c < channels; ++c) {
        const T* image = in.data() + (n * channels + c) * plan.in;
        T& y = out[(n * channels + c) * plan.places + place];
        if (moved) {
          y = taps.empty() ? T{} : image[taps[0].at];
          continue;
        }
        double sum = 0;
        for (const Part& t : taps) sum += t.weight * static_cast<double>(image[t.at]);
        y = static_cast<T>(sum);
      }
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

Status run_grid_sample(KernelCall& call) {
  OREE_TRY_ASSIGN(SamplePlan plan, plan_samples(call));
  const Dtype dtype = call.need(0).dtype();
  if (!dtype_is_float(dtype) && plan.sampling.mode != "nearest")
    return call.unsupported(fmt::format("{} between elements of {}", plan.sampling.mode, dtype_name(dtype)));
  return with_domain(dtype, [&](auto zero) {
    return with_real(call.need(1).dtype(),
                     [&](auto real) { return sample<decltype(zero), decltype(real)>(call, plan); });
  });
}

// theta [N, d, d + 1] and a size [N, C, spatial...]: where each place of an image of that size comes from, as
// GridSample wants it (the last axis first).
Status run_affine_grid(KernelCall& call) {
  const Tensor& theta = call.need(0);
  OREE_TRY_ASSIGN(std::vector<int64_t> size, int_list(call, 1));
  const auto axes = static_cast<int64_t>(size.size()) - 2;
  if (!dtype_is_float(theta.dtype()) || (axes != 2 && axes != 3) || theta.shape() != Shape{size[0], axes, axes + 1})
    return call.invalid(fmt::format("theta of shape {} for a size of {}", shape_text(theta.shape()), size.size()));
  const bool align = call.node.integer("align_corners", 0) != 0;
  Shape spatial(size.begin() + 2, size.end()), shape{size[0]};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  shape.push_back(axes);
  return with_real(theta.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, theta.dtype(), shape));
    Elements<T> t(theta);
    auto coordinate = [&](int64_t i, int64_t n) {
      if (align) return n == 1 ? 0.0 : 2 * static_cast<double>(i) / static_cast<double>(n - 1) - 1;
      return (2 * static_cast<double>(i) + 1) / static_cast<double>(n) - 1;
    };
    int64_t at = 0;
    for (int64_t n = 0; out.size() > 0 && n < size[0]; ++n) {
      for (Walk w(spatial, {}); !w.done(); w.next()) {
        for (int64_t row = 0; row < axes; ++row) {
          const int64_t first = (n * axes + row) * (axes + 1);
          double sum = static_cast<double>(t[first + axes]);
          for (int64_t i = 0; i < axes; ++i) {
            const auto axis = static_cast<size_t>(axes - 1 - i);
            sum += static_cast<double>(t[first + i]) * coordinate(w.place()[axis], spatial[axis]);
          }
          out[at++] = static_cast<T>(sum);
        }
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

constexpr KernelEntry kTable[] = {
    {"AffineGrid", run_affine_grid, 2},
    {"GridSample", run_grid_sample, 2},
};

}  // namespace

const std::span<const KernelEntry> kSampleKernels = kTable;

}  // namespace oree
