// SPDX-License-Identifier: Apache-2.0
// Operators that move elements by their place: what goes where follows from shapes and attributes alone.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/limits.h"
#include "model/ops/reshape.h"
#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// `x` seen under `shape`, its axes in the order of `perm`, as a tensor of shape `out`.
Status set_permuted(KernelCall& call, const Shape& shape, const std::vector<size_t>& perm, Shape out_shape) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), std::move(out_shape)));
  Strides from = strides_of(shape), permuted;
  Shape walked;
  for (size_t axis : perm) {
    walked.push_back(shape[axis]);
    permuted.push_back(from[axis]);
  }
  Mover mover(x, out);
  for (Walk w(walked, {permuted}); !w.done(); w.next()) mover.copy(w.index(), w.at(0));
  call.set(0, std::move(out));
  return {};
}

Status run_transpose(KernelCall& call) {
  const Shape& shape = call.need(0).shape();
  std::vector<size_t> perm(shape.size());
  std::iota(perm.rbegin(), perm.rend(), size_t{0});
  if (call.node.find("perm")) {
    std::vector<int64_t> given = call.node.integers("perm");
    OREE_TRY_ASSIGN(perm, normal_axes(call, given, shape.size()));
    if (perm.size() != shape.size()) return call.invalid(fmt::format("perm must name {} axes", shape.size()));
  }
  Shape out;
  for (size_t axis : perm) out.push_back(shape[axis]);
  return set_permuted(call, shape, perm, std::move(out));
}

Result<int64_t> block_size(const KernelCall& call) {
  int64_t block = call.node.integer("blocksize", 0);
  if (call.need(0).shape().size() != 4) return call.invalid("the input must be [N, C, H, W]");
  if (block < 1 || block > (1 << 15)) return call.invalid(fmt::format("a block size of {}", block));
  return block;
}

Status run_depth_to_space(KernelCall& call) {
  OREE_TRY_ASSIGN(int64_t b, block_size(call));
  const Shape& s = call.need(0).shape();
  if (s[1] % (b * b) != 0) return call.invalid(fmt::format("{} channels do not divide by {}", s[1], b * b));
  int64_t depth = s[1] / (b * b);
  Shape out{s[0], depth, s[2] * b, s[3] * b};
  std::string mode = call.node.text("mode", "DCR");
  if (mode == "DCR") return set_permuted(call, {s[0], b, b, depth, s[2], s[3]}, {0, 3, 4, 1, 5, 2}, std::move(out));
  if (mode == "CRD") return set_permuted(call, {s[0], depth, b, b, s[2], s[3]}, {0, 1, 4, 2, 5, 3}, std::move(out));
  return call.invalid("mode must be DCR or CRD");
}

Status run_space_to_depth(KernelCall& call) {
  OREE_TRY_ASSIGN(int64_t b, block_size(call));
  const Shape& s = call.need(0).shape();
  if (s[2] % b != 0 || s[3] % b != 0) return call.invalid(fmt::format("the image does not divide by {}", b));
  int64_t h = s[2] / b, w = s[3] / b;
  std::string mode = call.node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return call.invalid("mode must be DCR or CRD");
  std::vector<size_t> perm{0, 3, 5, 1, 2, 4};
  if (mode == "CRD") perm = {0, 1, 3, 5, 2, 4};
  return set_permuted(call, {s[0], s[1], h, b, w, b}, perm, {s[0], s[1] * b * b, h, w});
}

Status run_concat(KernelCall& call) {
  OREE_TRY(all_present(call));
  OREE_TRY(same_dtypes(call));
  Shape shape = call.need(0).shape();
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", 0), shape.size()));
  int64_t total = 0;
  for (const Tensor* t : call.inputs) {
    Shape other = t->shape();
    bool fits = other.size() == shape.size();
    if (fits) total += std::exchange(other[axis], shape[axis]);
    if (!fits || other != shape) return call.invalid(fmt::format("{} does not fit the first", shape_text(t->shape())));
  }
  shape[axis] = total;
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, call.need(0).dtype(), shape));
  AxisView whole = view_at(shape, axis);
  int64_t at = 0;
  for (const Tensor* t : call.inputs) {
    Mover mover(*t, out);
    int64_t part = t->shape()[axis] * whole.inner;
    for (int64_t o = 0; part > 0 && o < whole.outer; ++o)
      mover.copy((o * whole.length + at) * whole.inner, o * part, part);
    at += t->shape()[axis];
  }
  call.set(0, std::move(out));
  return {};
}

// Equal parts, the last one smaller when it must be, unless sizes are given.
Result<std::vector<int64_t>> split_sizes(const KernelCall& call, int64_t length) {
  auto parts = static_cast<int64_t>(call.node.outputs.size());
  std::vector<int64_t> sizes;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(sizes, int_list(call, 1));
  } else {
    int64_t part = parts > 0 ? (length + parts - 1) / parts : 0;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::min(part, length - part * i));
  }
  double total = 0;
  for (int64_t size : sizes) {
    if (size < 0) return call.invalid(fmt::format("{} does not split into {} parts", length, parts));
    total += static_cast<double>(size);
  }
  if (static_cast<int64_t>(sizes.size()) != parts || total != static_cast<double>(length)) {
    return call.invalid(fmt::format("{} sizes do not make {} in {} outputs", sizes.size(), length, parts));
  }
  return sizes;
}

Status run_split(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", 0), x.shape().size()));
  AxisView v = view_at(x.shape(), axis);
  OREE_TRY_ASSIGN(std::vector<int64_t> sizes, split_sizes(call, v.length));
  int64_t at = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape shape = x.shape();
    shape[axis] = sizes[i];
    OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
    Mover mover(x, out);
    int64_t part = sizes[i] * v.inner;
    for (int64_t o = 0; part > 0 && o < v.outer; ++o) mover.copy(o * part, (o * v.length + at) * v.inner, part);
    at += sizes[i];
    call.set(i, std::move(out));
  }
  return {};
}

// Data, starts, ends, axes, steps.
Status run_slice(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(std::vector<int64_t> starts, int_list(call, 1));
  OREE_TRY_ASSIGN(std::vector<int64_t> ends, int_list(call, 2));
  std::vector<int64_t> axes(starts.size()), steps(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (call.in(3)) {
    OREE_TRY_ASSIGN(axes, int_list(call, 3));
  }
  if (call.in(4)) {
    OREE_TRY_ASSIGN(steps, int_list(call, 4));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return call.invalid("starts, ends, axes and steps must be equally many");
  }
  OREE_TRY_ASSIGN(std::vector<size_t> at, normal_axes(call, axes, x.shape().size()));
  Shape shape = x.shape();
  Strides strides = strides_of(shape);
  int64_t first = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    if (steps[i] == 0) return call.invalid("a step of 0");
    SliceRange range = slice_range(x.shape()[at[i]], starts[i], ends[i], steps[i]);
    first += range.begin * strides[at[i]];
    shape[at[i]] = range.count;
    strides[at[i]] = range.count > 1 ? strides[at[i]] * range.step : 0;
  }
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  Mover mover(x, out);
  for (Walk w(shape, {strides}); !w.done(); w.next()) mover.copy(w.index(), first + w.at(0));
  call.set(0, std::move(out));
  return {};
}

Status run_expand(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(std::vector<int64_t> wanted, int_list(call, 1));
  Result<int64_t> n = shape_elements(wanted);
  if (!n) return call.invalid(n.error().message());
  OREE_TRY_ASSIGN(Shape shape, broadcast_shape(call, x.shape(), wanted));
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  Mover mover(x, out);
  for (Walk w(shape, {broadcast_strides(x.shape(), shape)}); !w.done(); w.next()) mover.copy(w.index(), w.at(0));
  call.set(0, std::move(out));
  return {};
}

Status run_tile(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(std::vector<int64_t> repeats, int_list(call, 1));
  if (repeats.size() != x.shape().size())
    return call.invalid(fmt::format("{} repeats for {}", repeats.size(), shape_text(x.shape())));
  // Each dimension becomes two: repeats, along which nothing moves, and the dimension itself.
  Shape shape, walked;
  Strides own = strides_of(x.shape()), strides;
  for (size_t d = 0; d < repeats.size(); ++d) {
    int64_t size = x.shape()[d];
    if (repeats[d] < 0 || repeats[d] > kTensorElementsMax) return call.invalid(fmt::format("{} repeats", repeats[d]));
    shape.push_back(size * repeats[d]);
    walked.insert(walked.end(), {repeats[d], size});
    strides.insert(strides.end(), {0, own[d]});
  }
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  Mover mover(x, out);
  for (Walk w(walked, {strides}); !w.done(); w.next()) mover.copy(w.index(), w.at(0));
  call.set(0, std::move(out));
  return {};
}

// The first sequence_lens[b] elements along the time axis, backwards, for each b of the batch axis.
Status run_reverse_sequence(KernelCall& call) {
  const Tensor& x = call.need(0);
  int64_t batch = call.node.integer("batch_axis", 1), time = call.node.integer("time_axis", 0);
  if ((batch != 0 && batch != 1) || time != 1 - batch) return call.invalid("the axes must be 0 and 1");
  if (x.shape().size() < 2) return call.invalid("the input must have a time and a batch axis");
  auto batch_axis = static_cast<size_t>(batch), time_axis = static_cast<size_t>(time);
  OREE_TRY_ASSIGN(std::vector<int64_t> lengths, int_list(call, 1));
  if (static_cast<int64_t>(lengths.size()) != x.shape()[batch_axis]) return call.invalid("one length a sequence");
  for (int64_t length : lengths) {
    if (length < 0 || length > x.shape()[time_axis]) return call.invalid(fmt::format("a length of {}", length));
  }
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), x.shape()));
  Mover mover(x, out);
  int64_t step = strides_of(x.shape())[time_axis];
  for (Walk w(x.shape(), {}); !w.done(); w.next()) {
    int64_t length = lengths[static_cast<size_t>(w.place()[batch_axis])], t = w.place()[time_axis];
    mover.copy(w.index(), t < length ? w.index() + (length - 1 - 2 * t) * step : w.index());
  }
  call.set(0, std::move(out));
  return {};
}

Status run_trilu(KernelCall& call) {
  const Tensor& x = call.need(0);
  size_t rank = x.shape().size();
  if (rank < 2) return call.invalid("the input must be matrices");
  int64_t k = 0;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(k, one_int(call, 1));
  }
  k = std::clamp<int64_t>(k, -kTensorElementsMax, kTensorElementsMax);
  bool upper = call.node.integer("upper", 1) != 0;
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), x.shape()));
  Mover mover(x, out);
  for (Walk w(x.shape(), {}); !w.done(); w.next()) {
    int64_t diagonal = w.place()[rank - 1] - w.place()[rank - 2];
    if (upper ? diagonal >= k : diagonal <= k) mover.copy(w.index(), w.index());
  }
  call.set(0, std::move(out));
  return {};
}

constexpr bool kByBits = true;
constexpr KernelEntry kTable[] = {
    {"Concat", run_concat},
    {"DepthToSpace", run_depth_to_space, 1, kByBits},
    {"Expand", run_expand, 2, kByBits},
    {"ReverseSequence", run_reverse_sequence, 2, kByBits},
    {"Slice", run_slice, 3, kByBits},
    {"SpaceToDepth", run_space_to_depth, 1, kByBits},
    {"Split", run_split, 1, kByBits},
    {"Tile", run_tile, 2, kByBits},
    {"Transpose", run_transpose, 1, kByBits},
    {"Trilu", run_trilu},
};

}  // namespace

const std::span<const KernelEntry> kMovementKernels = kTable;

}  // namespace oree
