// SPDX-License-Identifier: Apache-2.0
// Operators that change a tensor's shape or tell it, and those that hand it on.
#include "model/ops/reshape.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

// The first input under another shape of as many elements.
Status set_reshaped(KernelCall& call, Shape shape) {
  Result<int64_t> n = shape_elements(shape);
  if (!n) return call.invalid(n.error().message());
  Tensor out = call.need(0);
  if (*n != out.elements()) {
    return call.invalid(fmt::format("{} elements do not become {}", out.elements(), shape_text(shape)));
  }
  out.reshape(std::move(shape));
  call.set(0, std::move(out));
  return {};
}

Status run_identity(KernelCall& call) {
  call.set(0, call.need(0));
  return {};
}

Status run_reshape(KernelCall& call) {
  OREE_TRY_ASSIGN(std::vector<int64_t> wanted, int_list(call, 1));
  SymInts ints(wanted.begin(), wanted.end());
  bool allow_zero = call.node.integer("allowzero", 0) != 0;
  Result<Dims> dims = reshaped_dims(to_dims(call.need(0).shape()), ints, allow_zero);
  if (!dims) return call.invalid(dims.error().message());
  return set_reshaped(call, to_shape(*dims));
}

Status run_flatten(KernelCall& call) {
  const Shape& shape = call.need(0).shape();
  auto rank = static_cast<int64_t>(shape.size());
  int64_t axis = call.node.integer("axis", 1);
  if (axis < -rank || axis > rank) return call.invalid(fmt::format("there is no axis {} of {}", axis, rank));
  if (axis < 0) axis += rank;
  Shape out{1, 1};
  for (int64_t d = 0; d < rank; ++d) out[d < axis ? 0 : 1] *= shape[static_cast<size_t>(d)];
  return set_reshaped(call, std::move(out));
}

Status run_squeeze(KernelCall& call) {
  const Shape& shape = call.need(0).shape();
  std::vector<size_t> axes;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(std::vector<int64_t> given, int_list(call, 1));
    OREE_TRY_ASSIGN(axes, normal_axes(call, given, shape.size()));
  }
  Shape out;
  for (size_t d = 0; d < shape.size(); ++d) {
    bool named = std::ranges::find(axes, d) != axes.end();
    if (named && shape[d] != 1) return call.invalid(fmt::format("dimension {} is {}, not 1", d, shape[d]));
    if (!named && (call.in(1) || shape[d] != 1)) out.push_back(shape[d]);
  }
  return set_reshaped(call, std::move(out));
}

Status run_unsqueeze(KernelCall& call) {
  OREE_TRY_ASSIGN(std::vector<int64_t> given, int_list(call, 1));
  const Shape& shape = call.need(0).shape();
  OREE_TRY_ASSIGN(std::vector<size_t> axes, normal_axes(call, given, shape.size() + given.size()));
  std::ranges::sort(axes);
  Shape out = shape;
  for (size_t axis : axes) out.insert(out.begin() + static_cast<ptrdiff_t>(axis), 1);
  return set_reshaped(call, std::move(out));
}

Status run_shape(KernelCall& call) {
  const Shape& shape = call.need(0).shape();
  auto rank = static_cast<int64_t>(shape.size());
  auto within = [&](int64_t at) { return std::clamp(at < 0 ? at + rank : at, int64_t{0}, rank); };
  int64_t start = within(call.node.integer("start", 0)), end = within(call.node.integer("end", rank));
  OREE_TRY_ASSIGN(NewElements<int64_t> out,
                  new_elements<int64_t>(call, Dtype::kInt64, {std::max<int64_t>(end - start, 0)}));
  for (int64_t i = 0; i < out.size(); ++i) out[i] = shape[static_cast<size_t>(start + i)];
  call.set(0, std::move(out).take());
  return {};
}

Status run_size(KernelCall& call) {
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt64, {}));
  out[0] = call.need(0).elements();
  call.set(0, std::move(out).take());
  return {};
}

// Data, ratio, training_mode. Outside of training nothing is dropped; in it only a ratio of 0 has one answer.
Status run_dropout(KernelCall& call) {
  const Tensor *ratio = call.in(1), *training = call.in(2);
  for (const Tensor* t : {ratio, training}) {
    if (t && t->elements() != 1) return call.invalid("ratio and training_mode must be one value each");
  }
  bool drops = training && training->to_doubles()[0] != 0 && (!ratio || ratio->to_doubles()[0] != 0);
  if (drops) return call.unsupported("dropping at random has no one answer");
  OREE_TRY_ASSIGN(Tensor mask, new_tensor(call, Dtype::kBool, call.need(0).shape()));
  std::fill_n(mask.data(), mask.byte_size(), uint8_t{1});
  call.set(0, call.need(0));
  call.set(1, std::move(mask));
  return {};
}

constexpr bool kByBits = true;
constexpr KernelEntry kTable[] = {
    {"Dropout", run_dropout, 1, kByBits},   {"Flatten", run_flatten, 1, kByBits},
    {"Identity", run_identity, 1, kByBits}, {"Reshape", run_reshape, 2, kByBits},
    {"Shape", run_shape, 1, kByBits},       {"Size", run_size, 1, kByBits},
    {"Squeeze", run_squeeze, 1, kByBits},   {"Unsqueeze", run_unsqueeze, 2, kByBits},
};

}  // namespace

const std::span<const KernelEntry> kReshapeKernels = kTable;

}  // namespace oree
