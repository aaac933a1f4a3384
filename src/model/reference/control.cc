// SPDX-License-Identifier: Apache-2.0
// If, Loop and Scan: operators with bodies.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

Result<BlockId> body_of(const KernelCall& call, std::string_view name) {
  for (const auto& [attribute, block] : call.node.blocks) {
    if (attribute == name) return block;
  }
  return call.invalid(fmt::format("it has no {}", name));
}

Result<bool> truth_of(const KernelCall& call, const Tensor& t) {
  if (t.dtype() != Dtype::kBool || t.elements() != 1) return call.invalid("a condition must be one bool");
  return t.data()[0] != 0;
}

Status run_if(KernelCall& call) {
  OREE_TRY_ASSIGN(bool condition, truth_of(call, call.need(0)));
  OREE_TRY_ASSIGN(BlockId body, body_of(call, condition ? "then_branch" : "else_branch"));
  OREE_TRY_ASSIGN(std::vector<Tensor> results, call.blocks.run_block(body, {}));
  if (results.size() < call.outputs.size()) return call.invalid("its branch has too few outputs");
  for (size_t i = 0; i < call.outputs.size(); ++i) call.set(i, std::move(results[i]));
  return {};
}

// Slices of one shape, put together along an axis as they come.
class Stack {
 public:
  Status add(const KernelCall& call, Tensor slice) {
    if (!slices_.empty() && (slice.shape() != slices_[0].shape() || slice.dtype() != slices_[0].dtype())) {
      return call.invalid(fmt::format("an iteration gives {} where the first gave {}", shape_text(slice.shape()),
                                      shape_text(slices_[0].shape())));
    }
    bytes_ += static_cast<int64_t>(slice.byte_size());
    if (bytes_ > call.bytes_left())
      return Error(Code::kExhausted, fmt::format("{} '{}': its iterations fill more than {} bytes", call.node.op,
                                                 call.node.name, call.bytes_left()));
    slices_.push_back(std::move(slice));
    return {};
  }

  Result<Tensor> stacked(const KernelCall& call, int64_t axis, bool backwards, Dtype dtype, const Shape& empty) const {
    const Shape& one = slices_.empty() ? empty : slices_[0].shape();
    OREE_TRY_ASSIGN(size_t at, normal_axis(call, axis, one.size() + 1));
    Shape shape = one;
    auto count = static_cast<int64_t>(slices_.size());
    shape.insert(shape.begin() + static_cast<ptrdiff_t>(at), count);
    OREE_TRY_ASSIGN(Tensor out, new_tensor(call, slices_.empty() ? dtype : slices_[0].dtype(), shape));
    AxisView view = view_at(shape, at);
    for (int64_t k = 0; k < count; ++k) {
      Mover mover(slices_[static_cast<size_t>(backwards ? count - 1 - k : k)], out);
      for (int64_t o = 0; o < view.outer; ++o) mover.copy((o * count + k) * view.inner, o * view.inner, view.inner);
    }
    return out;
  }

 private:
  std::vector<Tensor> slices_;
  int64_t bytes_ = 0;
};

// The type of a body's output when it never ran, as far as it is known.
Dtype declared_dtype(const KernelCall& call, ValueId v) { return call.graph.value(v).dtype.value_or(Dtype::kFloat32); }
Shape declared_shape(const KernelCall& call, ValueId v) {
  Shape shape = call.graph.value(v).dims ? to_shape(*call.graph.value(v).dims) : Shape{};
  for (int64_t& d : shape) d = std::max<int64_t>(d, 0);
  return shape;
}

// Whether a scalar or one number in a vector is the body's own choice.
Tensor one_element(const KernelCall& call, ValueId v, Dtype dtype) {
  const std::optional<Dims>& dims = call.graph.value(v).dims;
  return Tensor(dtype, Shape(dims ? dims->size() : 0, 1));
}

Status run_loop(KernelCall& call) {
  OREE_TRY_ASSIGN(BlockId body, body_of(call, "body"));
  const Block& block = call.graph.block(body);
  const size_t carried = call.inputs.size() < 2 ? 0 : call.inputs.size() - 2;
  if (block.inputs.size() != carried + 2 || block.outputs.size() < carried + 1)
    return call.invalid("its body does not fit its inputs");
  const size_t scans = block.outputs.size() - 1 - carried;
  if (call.outputs.size() > carried + scans) return call.invalid("its body does not fit its outputs");
  int64_t trips = kReferenceTripsMax;
  bool bounded = call.in(0) != nullptr;
  if (bounded) {
    OREE_TRY_ASSIGN(trips, one_int(call, 0));
  }
  bool go_on = true;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(go_on, truth_of(call, call.need(1)));
  }
  std::vector<Tensor> state;
  for (size_t i = 0; i < carried; ++i) {
    if (!call.in(i + 2)) return call.invalid("a carried value is absent");
    state.push_back(call.need(i + 2));
  }
  std::vector<Stack> stacks(scans);
  for (int64_t trip = 0; go_on && trip < trips; ++trip) {
    if (trip >= kReferenceTripsMax)
      return Error(Code::kExhausted,
                   fmt::format("Loop '{}': more than {} iterations", call.node.name, kReferenceTripsMax));
    std::vector<Tensor> inputs;
    inputs.push_back(one_element(call, block.inputs[0], Dtype::kInt64));
    inputs[0].as<int64_t>()[0] = trip;
    inputs.push_back(one_element(call, block.inputs[1], Dtype::kBool));
    inputs[1].data()[0] = 1;
    for (Tensor& t : state) inputs.push_back(std::move(t));
    OREE_TRY_ASSIGN(std::vector<Tensor> results, call.blocks.run_block(body, std::move(inputs)));
    OREE_TRY_ASSIGN(go_on, truth_of(call, results[0]));
    for (size_t i = 0; i < carried; ++i) state[i] = std::move(results[1 + i]);
    for (size_t i = 0; i < scans; ++i) OREE_TRY(stacks[i].add(call, std::move(results[1 + carried + i])));
    if (!bounded && trip + 1 >= kReferenceTripsMax && go_on) {
      return Error(Code::kExhausted,
                   fmt::format("Loop '{}': more than {} iterations", call.node.name, kReferenceTripsMax));
    }
  }
  for (size_t i = 0; i < carried; ++i) call.set(i, std::move(state[i]));
  for (size_t i = 0; i < scans; ++i) {
    ValueId out = block.outputs[1 + carried + i];
    OREE_TRY_ASSIGN(Tensor stacked,
                    stacks[i].stacked(call, 0, false, declared_dtype(call, out), declared_shape(call, out)));
    call.set(carried + i, std::move(stacked));
  }
  return {};
}

Result<Tensor> slice_at(const KernelCall& call, const Tensor& t, size_t axis, int64_t index) {
  AxisView view = view_at(t.shape(), axis);
  Shape shape = t.shape();
  shape.erase(shape.begin() + static_cast<ptrdiff_t>(axis));
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, t.dtype(), shape));
  Mover mover(t, out);
  for (int64_t o = 0; o < view.outer; ++o)
    mover.copy(o * view.inner, (o * view.length + index) * view.inner, view.inner);
  return out;
}

Status run_scan(KernelCall& call) {
  OREE_TRY_ASSIGN(BlockId body, body_of(call, "body"));
  const Block& block = call.graph.block(body);
  const int64_t count = call.node.integer("num_scan_inputs", 0);
  if (count < 1 || static_cast<size_t>(count) > call.inputs.size())
    return call.invalid(fmt::format("num_scan_inputs of {}", count));
  const auto scanned = static_cast<size_t>(count);
  const size_t carried = call.inputs.size() - scanned;
  if (block.inputs.size() != call.inputs.size() || block.outputs.size() < carried)
    return call.invalid("its body does not fit its inputs");
  const size_t scans = block.outputs.size() - carried;
  auto option = [&](const char* name, size_t i) {
    std::vector<int64_t> list = call.node.integers(name);
    return i < list.size() ? list[i] : 0;
  };
  std::vector<size_t> axes;
  int64_t length = -1;
  for (size_t i = 0; i < scanned; ++i) {
    if (!call.in(carried + i)) return call.invalid("a scanned input is absent");
    const Tensor& t = call.need(carried + i);
    OREE_TRY_ASSIGN(size_t axis, normal_axis(call, option("scan_input_axes", i), t.shape().size()));
    axes.push_back(axis);
    if (length >= 0 && t.shape()[axis] != length) return call.invalid("scanned inputs of different lengths");
    length = t.shape()[axis];
  }
  std::vector<Tensor> state;
  for (size_t i = 0; i < carried; ++i) {
    if (!call.in(i)) return call.invalid("a carried value is absent");
    state.push_back(call.need(i));
  }
  std::vector<Stack> stacks(scans);
  for (int64_t step = 0; step < length; ++step) {
    std::vector<Tensor> inputs;
    for (Tensor& t : state) inputs.push_back(std::move(t));
    for (size_t i = 0; i < scanned; ++i) {
      bool backwards = option("scan_input_directions", i) != 0;
      OREE_TRY_ASSIGN(Tensor slice,
                      slice_at(call, call.need(carried + i), axes[i], backwards ? length - 1 - step : step));
      inputs.push_back(std::move(slice));
    }
    OREE_TRY_ASSIGN(std::vector<Tensor> results, call.blocks.run_block(body, std::move(inputs)));
    for (size_t i = 0; i < carried; ++i) state[i] = std::move(results[i]);
    for (size_t i = 0; i < scans; ++i) OREE_TRY(stacks[i].add(call, std::move(results[carried + i])));
  }
  for (size_t i = 0; i < carried; ++i) call.set(i, std::move(state[i]));
  for (size_t i = 0; i < scans; ++i) {
    ValueId out = block.outputs[carried + i];
    OREE_TRY_ASSIGN(Tensor stacked,
                    stacks[i].stacked(call, option("scan_output_axes", i), option("scan_output_directions", i) != 0,
                                      declared_dtype(call, out), declared_shape(call, out)));
    call.set(carried + i, std::move(stacked));
  }
  return {};
}

constexpr KernelEntry kTable[] = {
    {"If", run_if},
    {"Loop", run_loop, 0},
    {"Scan", run_scan, 0},
};

}  // namespace

const std::span<const KernelEntry> kControlKernels = kTable;

}  // namespace oree
