// SPDX-License-Identifier: Apache-2.0
// Steps back where the same node meant something else.
#include <algorithm>

#include "model/onnx/onnx_downgrade.h"
#include "model/ops/element_types.h"

namespace oree {
namespace {

// Before opset 13 everything from the axis on was normalised together: right where the axis is the last one.
Status softmax_13(Downgrade& d) {
  int64_t axis = d.node().integer("axis", -1);
  std::optional<Dims> dims = d.dims(0);
  if (!dims) {
    if (axis != -1) return d.unsupported("along an axis of a tensor of unknown rank needs opset 13");
    d.graph.set_attribute(d.id, "axis", int64_t{-1});
    return {};
  }
  int64_t rank = static_cast<int64_t>(dims->size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return d.unsupported("its axis is not there");
  bool alone = true;
  for (int64_t i = axis + 1; i < rank; ++i) alone = alone && (*dims)[static_cast<size_t>(i)].size == 1;
  if (alone) {
    d.graph.set_attribute(d.id, "axis", axis);
    return {};
  }
  // Swapping two axes is its own way back.
  std::vector<int64_t> swap;
  for (int64_t i = 0; i < rank; ++i) swap.push_back(i == axis ? rank - 1 : i == rank - 1 ? axis : i);
  Dims swapped;
  for (int64_t i : swap) swapped.push_back((*dims)[static_cast<size_t>(i)]);
  ValueId x = d.in(0), moved = d.add("Transpose", {x}, {{"perm", swap}}, x);
  d.graph.set_type(moved, d.dtype(0), swapped);
  d.graph.set_input(d.id, 0, moved);
  d.graph.set_attribute(d.id, "axis", rank - 1);
  d.then(0, "Transpose", {{"perm", swap}});
  return {};
}

Status scatter_11(Downgrade& d) {
  if (d.node().text("reduction", "none") != "none") return d.unsupported("reductions need opset 16");
  d.graph.remove_attribute(d.id, "reduction");
  d.graph.set_op(d.id, "Scatter");
  return {};
}

Status scan_9(Downgrade& d) { return d.unsupported("needs opset 9: opset 8 scanned batches"); }

Status shape_15(Downgrade& d) {
  int64_t start = d.node().integer("start", 0);
  bool ends = d.node().find("end") != nullptr;
  if (start == 0 && !ends) {
    d.graph.remove_attribute(d.id, "start");
    return {};
  }
  ValueId whole = d.add("Shape", {d.in(0)}, {}, kNoValue);
  d.graph.set_type(whole, Dtype::kInt64, std::nullopt);
  if (std::optional<size_t> rank = d.rank(0)) {
    d.graph.set_type(whole, Dtype::kInt64, Dims{Dim(static_cast<int64_t>(*rank))});
  }
  d.finish("Slice", {whole, d.ints({start}), d.ints({d.node().integer("end", INT64_MAX)}), d.ints({0})});
  return {};
}

// Several scales, one for each channel, came with the axis.
Status quantize_13(Downgrade& d) {
  std::optional<Dims> scale = d.dims(1);
  bool one = scale && std::ranges::all_of(*scale, [](const Dim& dim) { return dim.size == 1; });
  if (!one) return d.unsupported("a scale for each channel needs opset 13");
  d.graph.remove_attribute(d.id, "axis");
  if (scale->empty()) return {};
  for (size_t input : {size_t{1}, size_t{2}}) {
    const Constant* c = d.constant(input);
    if (d.absent(input)) continue;
    if (c == nullptr) return d.unsupported("a computed scale of one element in a vector needs opset 13");
    d.graph.set_input(d.id, input, d.graph.add_constant(d.graph.value(d.in(input)).name, c->reshaped({})));
  }
  return {};
}

// The type of the result, where no zero point shows it.
Status quantize_21(Downgrade& d) {
  int64_t code = d.node().integer("output_dtype", 0);
  d.graph.remove_attribute(d.id, "output_dtype");
  if (code == 0 || !d.absent(2)) return {};
  std::optional<Dtype> dtype = dtype_from_onnx(code);
  const Constant* scale = d.constant(1);
  if (!dtype || scale == nullptr) return d.unsupported("output_dtype needs opset 21");
  d.graph.set_input(d.id, 2, d.graph.add_constant("zero_point", Constant(Tensor(*dtype, scale->shape()))));
  return {};
}

Status dequantize_23(Downgrade& d) {
  int64_t code = d.node().integer("output_dtype", 0);
  if (code != 0 && dtype_from_onnx(code) != d.dtype(1)) return d.unsupported("output_dtype needs opset 23");
  d.graph.remove_attribute(d.id, "output_dtype");
  return {};
}

// Base and exponent were of one type.
Status pow_12(Downgrade& d) {
  std::optional<Dtype> base = d.dtype(0), exponent = d.dtype(1);
  if (!base || !exponent || *base == *exponent) return {};
  if (!dtype_is_float(*base)) return d.unsupported("an integer to a power of another type needs opset 12");
  ValueId cast = d.add("Cast", {d.in(1)}, {{"to", dtype_to_onnx(*base)}}, d.in(1));
  d.graph.set_type(cast, base, d.dims(1));
  d.graph.set_input(d.id, 1, cast);
  return {};
}

Status gemm_11(Downgrade& d) {
  if (d.absent(2)) d.graph.set_input(d.id, 2, d.real(0, d.in(0)));
  return {};
}

// Max, Min, Sum and Mean did not broadcast.
Status variadic_8(Downgrade& d) {
  for (size_t i = 1; i < d.node().inputs.size(); ++i) {
    std::optional<Dims> a = d.dims(0), b = d.dims(i);
    if (!a || !b || !known_shape(*a) || *a != *b) return d.unsupported("broadcasting needs opset 8");
  }
  return {};
}

// The sign of the divisor was for integers only.
Status mod_28(Downgrade& d) {
  std::optional<Dtype> dtype = d.dtype(0);
  if (d.node().integer("fmod", 0) != 0 || (dtype && !dtype_is_float(*dtype))) return {};
  return d.unsupported("of floats with the divisor's sign needs opset 28");
}

Status optional_18(Downgrade& d) {
  return d.absent(0) || d.dtype(0) ? Status(d.unsupported("a tensor as its input needs opset 18")) : Status();
}

// Types say nothing of saturation but for float8, which no graph holds.
Status drop_saturate(Downgrade& d) {
  d.graph.remove_attribute(d.id, "saturate");
  d.graph.remove_attribute(d.id, "round_mode");
  return {};
}

}  // namespace

std::vector<DowngradeRow> meaning_downgrades() {
  return {{"Softmax", 13, softmax_13},
          {"LogSoftmax", 13, softmax_13},
          {"Hardmax", 13, softmax_13},
          {"ScatterElements", 11, scatter_11},
          {"Scan", 9, scan_9},
          {"Shape", 15, shape_15},
          {"QuantizeLinear", 13, quantize_13},
          {"DequantizeLinear", 13, quantize_13},
          {"QuantizeLinear", 21, quantize_21},
          {"DequantizeLinear", 23, dequantize_23},
          {"Pow", 12, pow_12},
          {"Gemm", 11, gemm_11},
          {"Mod", 28, mod_28},
          {"OptionalHasElement", 18, optional_18},
          {"OptionalGetElement", 18, optional_18},
          {"Max", 8, variadic_8},
          {"Min", 8, variadic_8},
          {"Sum", 8, variadic_8},
          {"Mean", 8, variadic_8},
          {"Cast", 24, drop_saturate},
          {"Cast", 19, drop_saturate},
          {"QuantizeLinear", 19, drop_saturate}};
}

}  // namespace oree
