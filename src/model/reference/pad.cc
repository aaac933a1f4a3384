// SPDX-License-Identifier: Apache-2.0
// Pad: a border around a tensor, or, where a pad is negative, less of it. CenterCropPad: the same on both sides.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/limits.h"
#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

enum class Mode { kConstant, kReflect, kEdge, kWrap };

// Where element `i` of a line without end lies in one of `n` > 0 elements; -1: in the border of a constant.
int64_t source(Mode mode, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  auto modulo = [](int64_t a, int64_t b) { return (a % b + b) % b; };
  switch (mode) {
    case Mode::kConstant: return -1;
    case Mode::kEdge: return i < 0 ? 0 : n - 1;
    case Mode::kWrap: return modulo(i, n);
    case Mode::kReflect: break;
  }
  if (n == 1) return 0;
  int64_t at = modulo(i, 2 * (n - 1));  // there and back again, without saying the ends twice
  return at < n ? at : 2 * (n - 1) - at;
}

// One axis: what negative pads leave of it, and the border around that.
struct Axis {
  int64_t first = 0;  // of the input
  int64_t kept = 0;
  int64_t before = 0;  // border elements
  int64_t out = 0;
};

Result<Axis> axis_of(const KernelCall& call, Mode mode, int64_t size, int64_t begin, int64_t end) {
  if (std::abs(static_cast<double>(begin)) > kTensorElementsMax ||
      std::abs(static_cast<double>(end)) > kTensorElementsMax) {
    return call.invalid(fmt::format("pads of {} and {}", begin, end));
  }
  Axis a;
  a.out = size + begin + end;
  a.first = std::max<int64_t>(-begin, 0);
  a.kept = size - a.first - std::max<int64_t>(-end, 0);
  a.before = std::max<int64_t>(begin, 0);
  if (a.out < 0) return call.invalid(fmt::format("pads of {} and {} for a dimension of {}", begin, end, size));
  if (a.kept < 0) return call.unsupported("a pad that cuts off what the other pads");
  if (mode != Mode::kConstant && a.kept == 0 && a.out > 0) return call.invalid("there is nothing to repeat");
  return a;
}

Result<Mode> mode_of(const KernelCall& call) {
  std::string text = call.node.text("mode", "constant");
  if (text == "constant") return Mode::kConstant;
  if (text == "reflect") return Mode::kReflect;
  if (text == "edge") return Mode::kEdge;
  if (text == "wrap") return Mode::kWrap;
  return call.invalid(fmt::format("there is no mode '{}'", text));
}

// Data, pads, the constant, axes.
Result<std::vector<Axis>> read_axes(const KernelCall& call, Mode mode) {
  const Shape& shape = call.need(0).shape();
  OREE_TRY_ASSIGN(std::vector<int64_t> pads, int_list(call, 1));
  std::vector<size_t> named(shape.size());
  std::iota(named.begin(), named.end(), size_t{0});
  if (call.in(3)) {
    OREE_TRY_ASSIGN(std::vector<int64_t> given, int_list(call, 3));
    OREE_TRY_ASSIGN(named, normal_axes(call, given, shape.size()));
  }
  if (pads.size() != 2 * named.size()) {
    return call.invalid(fmt::format("{} pads for {} axes", pads.size(), named.size()));
  }
  std::vector<Axis> out;
  for (int64_t size : shape) out.push_back({0, size, 0, size});
  for (size_t i = 0; i < named.size(); ++i) {
    OREE_TRY_ASSIGN(out[named[i]], axis_of(call, mode, shape[named[i]], pads[i], pads[i + named.size()]));
  }
  return out;
}

Status bordered(KernelCall& call, Mode mode, const std::vector<Axis>& axes, const Tensor& constant) {
  const Tensor& x = call.need(0);
  Shape shape;
  for (const Axis& a : axes) shape.push_back(a.out);
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  Strides strides = strides_of(x.shape());
  Mover inside(x, out), border(constant, out);
  for (Walk w(shape, {}); !w.done(); w.next()) {
    int64_t from = 0;
    for (size_t d = 0; d < axes.size() && from >= 0; ++d) {
      int64_t at = source(mode, w.place()[d] - axes[d].before, axes[d].kept);
      from = at < 0 ? -1 : from + (axes[d].first + at) * strides[d];
    }
    if (from < 0) {
      border.copy(w.index(), 0);
    } else {
      inside.copy(w.index(), from);
    }
  }
  call.set(0, std::move(out));
  return {};
}

Status run_pad(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Mode mode, mode_of(call));
  OREE_TRY_ASSIGN(std::vector<Axis> axes, read_axes(call, mode));
  Tensor constant(x.dtype(), {1});
  if (call.in(2)) {
    if (call.in(2)->dtype() != x.dtype() || call.in(2)->elements() != 1) {
      return call.invalid("the constant must be one element of the data's type");
    }
    constant = *call.in(2);
  }
  return bordered(call, mode, axes, constant);
}

// Along each of the axes named, the middle of the data, or the data in the middle of zeros. An odd element is cut or
// added behind.
Status run_center_crop_pad(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(std::vector<int64_t> sizes, int_list(call, 1));
  std::vector<int64_t> given = call.node.integers("axes");
  if (call.node.find("axes") == nullptr) {
    given.resize(x.shape().size());
    std::iota(given.begin(), given.end(), 0);
  }
  OREE_TRY_ASSIGN(std::vector<size_t> named, normal_axes(call, given, x.shape().size()));
  if (sizes.size() != named.size())
    return call.invalid(fmt::format("{} sizes for {} axes", sizes.size(), named.size()));
  std::vector<Axis> axes;
  for (int64_t size : x.shape()) axes.push_back({0, size, 0, size});
  for (size_t i = 0; i < named.size(); ++i) {
    if (sizes[i] < 0) return call.invalid(fmt::format("a size of {}", sizes[i]));
    Axis& a = axes[named[i]];
    a.out = sizes[i];
    if (a.out < a.kept) a.first = (a.kept - a.out) / 2;
    if (a.out > a.kept) a.before = (a.out - a.kept) / 2;
    a.kept = std::min(a.kept, a.out);
  }
  return bordered(call, Mode::kConstant, axes, Tensor(x.dtype(), {1}));
}

constexpr KernelEntry kTable[] = {
    {"CenterCropPad", run_center_crop_pad, 2},
    {"Pad", run_pad, 2},
};

}  // namespace

const std::span<const KernelEntry> kPadKernels = kTable;

}  // namespace oree
