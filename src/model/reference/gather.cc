// SPDX-License-Identifier: Apache-2.0
// Operators that pick elements by indices. A negative index counts from the end; one outside is an error.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/reference/indices.h"
#include "model/reference/kernel_tables.h"

namespace oree {

Result<std::vector<int64_t>> index_input(const KernelCall& call, size_t input) {
  const Tensor& t = call.need(input);
  if (t.dtype() != Dtype::kInt32 && t.dtype() != Dtype::kInt64) {
    return call.invalid(fmt::format("indices must be int32 or int64, not {}", dtype_name(t.dtype())));
  }
  std::vector<int64_t> out(static_cast<size_t>(t.elements()));
  widen<int64_t>(t, out);
  return out;
}

Result<std::vector<int64_t>> indices_within(const KernelCall& call, size_t input, int64_t length) {
  OREE_TRY_ASSIGN(std::vector<int64_t> out, index_input(call, input));
  for (int64_t& i : out) {
    OREE_TRY_ASSIGN(i, index_within(call, i, length));
  }
  return out;
}

Result<int64_t> index_within(const KernelCall& call, int64_t index, int64_t length) {
  if (index >= -length && index < length) return index < 0 ? index + length : index;
  return call.invalid(fmt::format("index {} is outside of {}", index, length));
}

Result<std::vector<int64_t>> slice_offsets(const KernelCall& call, const Shape& data, size_t input, size_t batch) {
  const Shape& shape = call.need(input).shape();
  int64_t width = shape.back();
  OREE_TRY_ASSIGN(std::vector<int64_t> indices, index_input(call, input));
  Strides strides = strides_of(data);
  int64_t slices = 1, batches = 1;
  for (size_t d = 0; d + 1 < shape.size(); ++d) slices *= shape[d];
  for (size_t d = 0; d < batch; ++d) batches *= shape[d];
  std::vector<int64_t> out;
  for (int64_t s = 0; s < slices; ++s) {
    int64_t offset = batch > 0 ? s / (slices / batches) * strides[batch - 1] : 0;
    for (int64_t k = 0; k < width; ++k) {
      size_t d = batch + static_cast<size_t>(k);
      OREE_TRY_ASSIGN(int64_t at, index_within(call, indices[static_cast<size_t>(s * width + k)], data[d]));
      offset += at * strides[d];
    }
    out.push_back(offset);
  }
  return out;
}

namespace {

// Those slices of the first input, one after the other, as an output of that shape.
Status pick(KernelCall& call, const AxisView& v, const std::vector<int64_t>& picked, const Shape& shape) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  Mover mover(x, out);
  int64_t at = 0;
  for (int64_t o = 0; out.elements() > 0 && o < v.outer; ++o) {
    for (int64_t i : picked) {
      mover.copy(at, (o * v.length + i) * v.inner, v.inner);
      at += v.inner;
    }
  }
  call.set(0, std::move(out));
  return {};
}

Status run_gather(KernelCall& call) {
  const Tensor &x = call.need(0), &indices = call.need(1);
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", 0), x.shape().size()));
  AxisView v = view_at(x.shape(), axis);
  OREE_TRY_ASSIGN(std::vector<int64_t> picked, indices_within(call, 1, v.length));
  Shape shape(x.shape().begin(), x.shape().begin() + static_cast<ptrdiff_t>(axis));
  shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
  shape.insert(shape.end(), x.shape().begin() + static_cast<ptrdiff_t>(axis) + 1, x.shape().end());
  return pick(call, v, picked, shape);
}

Status run_gather_elements(KernelCall& call) {
  const Tensor &x = call.need(0), &indices = call.need(1);
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", 0), x.shape().size()));
  OREE_TRY(indices_fit(call, x.shape(), indices.shape(), axis));
  OREE_TRY_ASSIGN(std::vector<int64_t> picked, indices_within(call, 1, x.shape()[axis]));
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), indices.shape()));
  Mover mover(x, out);
  Strides strides = strides_of(x.shape());
  int64_t step = std::exchange(strides[axis], 0);
  for (Walk w(indices.shape(), {strides}); !w.done(); w.next()) {
    mover.copy(w.index(), w.at(0) + picked[static_cast<size_t>(w.index())] * step);
  }
  call.set(0, std::move(out));
  return {};
}

// indices [b…, i…, n] pick slices x[b…, n numbers, rest…].
Status run_gather_nd(KernelCall& call) {
  const Shape &x = call.need(0).shape(), &indices = call.need(1).shape();
  int64_t batch_dims = call.node.integer("batch_dims", 0);
  if (batch_dims < 0 || batch_dims >= static_cast<int64_t>(std::min(x.size(), indices.size()))) {
    return call.invalid(fmt::format("batch_dims is {} for {} and {}", batch_dims, shape_text(x), shape_text(indices)));
  }
  auto batch = static_cast<size_t>(batch_dims);
  if (!std::equal(x.begin(), x.begin() + batch_dims, indices.begin())) return call.invalid("batches differ");
  if (indices.back() < 1 || indices.back() > static_cast<int64_t>(x.size() - batch)) {
    return call.invalid(fmt::format("{} indices into {}", indices.back(), shape_text(x)));
  }
  OREE_TRY_ASSIGN(std::vector<int64_t> offsets, slice_offsets(call, x, 1, batch));
  Shape shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), x.begin() + batch_dims + indices.back(), x.end());
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, call.need(0).dtype(), shape));
  Mover mover(call.need(0), out);
  int64_t slice = offsets.empty() ? 0 : out.elements() / static_cast<int64_t>(offsets.size());
  for (size_t i = 0; i < offsets.size(); ++i) mover.copy(static_cast<int64_t>(i) * slice, offsets[i], slice);
  call.set(0, std::move(out));
  return {};
}

// The slices along an axis, or the elements, for which the condition holds. It may be shorter than what it chooses
// from.
Status run_compress(KernelCall& call) {
  const Tensor &x = call.need(0), &condition = call.need(1);
  if (condition.dtype() != Dtype::kBool || condition.shape().size() != 1) {
    return call.invalid("the condition must be a list of bool");
  }
  bool flat = call.node.find("axis") == nullptr;
  size_t axis = 0;
  if (!flat) {
    OREE_TRY_ASSIGN(axis, normal_axis(call, call.node.integer("axis", 0), x.shape().size()));
  }
  AxisView v = flat ? AxisView{1, x.elements(), 1} : view_at(x.shape(), axis);
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < std::min(v.length, condition.elements()); ++i) {
    if (condition.data()[i]) picked.push_back(i);
  }
  Shape shape = flat ? Shape{0} : x.shape();
  shape[axis] = static_cast<int64_t>(picked.size());
  return pick(call, v, picked, shape);
}

constexpr bool kByBits = true;
constexpr KernelEntry kTable[] = {
    {"Compress", run_compress, 2, kByBits},
    {"Gather", run_gather, 2, kByBits},
    {"GatherElements", run_gather_elements, 2, kByBits},
    {"GatherND", run_gather_nd, 2, kByBits},
};

}  // namespace

Status indices_fit(const KernelCall& call, const Shape& data, const Shape& indices, size_t axis) {
  bool fits = data.size() == indices.size();
  for (size_t d = 0; fits && d < data.size(); ++d) fits = d == axis || indices[d] <= data[d];
  if (fits) return {};
  return call.invalid(fmt::format("indices of {} do not fit data of {}", shape_text(indices), shape_text(data)));
}

const std::span<const KernelEntry> kGatherKernels = kTable;

}  // namespace oree
