// SPDX-License-Identifier: Apache-2.0
// Operators that give elements another place: shapes, joins, splits, pads.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;
constexpr std::string_view kMoved = "filbcCs";

// RESHAPE to a shape with at most one unknown dimension, which is then -1.
bool emit_reshape(Lower& r, ValueId x, size_t output = 0) {
  std::optional<Dims> dims = r.dims(r.out(output));
  if (!dims) return false;
  Ints shape;
  for (const Dim& d : *dims) shape.push_back(d.known() ? d.size : -1);
  if (std::ranges::count(shape, -1) > 1) return false;
  if (std::ranges::count(shape, -1) == 1 && std::ranges::find(shape, 0) != shape.end()) return false;
  std::vector<ValueId> inputs{x};
  if (!shape.empty()) inputs.push_back(r.int32s(shape));  // a tensor without elements is none to some engines
  r.finish_emit("RESHAPE", std::move(inputs), {{"new_shape", shape}}, output);
  return true;
}

Result<bool> reshape(Lower& r) {
  OREE_TRY(r.want(2));
  if (emit_reshape(r, r.in(0))) return true;
  std::optional<Constant> shape = r.constant_of(r.in(1));
  bool copies = r.integer("allowzero", 0) == 0;
  if (shape) {
    Ints to = shape->to_ints();
    if (copies && std::ranges::find(to, 0) != to.end())
      return r.unsupported("dimensions that are copied and not known");
    r.finish_emit("RESHAPE", {r.in(0), r.int32s(to)}, {{"new_shape", to}});
    return true;
  }
  r.finish_emit("RESHAPE", {r.in(0), r.as_int32(r.in(1))});
  return true;
}

Result<bool> squeeze(Lower& r) {
  OREE_TRY(r.want(1));
  if (emit_reshape(r, r.in(0))) return true;
  OREE_TRY_ASSIGN(Ints axes, r.ints_or_none(1));
  r.finish_emit("SQUEEZE", {r.in(0)}, {{"squeeze_dims", axes}});
  return true;
}

Result<bool> unsqueeze(Lower& r) {
  OREE_TRY(r.want(2));
  if (emit_reshape(r, r.in(0))) return true;
  OREE_TRY_ASSIGN(Ints axes, r.ints(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  for (int64_t& a : axes) {
    OREE_TRY_ASSIGN(size_t at, r.axis(a, rank + axes.size()));
    a = static_cast<int64_t>(at);
  }
  std::ranges::sort(axes);
  ValueId x = r.in(0);
  Dims dims = *r.dims(x);
  for (size_t i = 0; i < axes.size(); ++i) {
    dims.insert(dims.begin() + static_cast<ptrdiff_t>(axes[i]), Dim(1));
    ValueId axis = r.int32(axes[i]);
    if (i + 1 == axes.size()) {
      r.finish_emit("EXPAND_DIMS", {x, axis});
    } else {
      x = r.emit("EXPAND_DIMS", {x, axis}, {}, *r.dtype(x), dims, x);
    }
  }
  return true;
}

Result<bool> flatten(Lower& r) {
  OREE_TRY(r.want(1));
  if (emit_reshape(r, r.in(0))) return true;
  return r.unsupported("more than one dimension that is not known");
}

// Where only axes of length 1 change their place, the data stays.
bool moves_nothing(const Dims& dims, const Ints& order) {
  int64_t last = -1;
  for (int64_t d : order) {
    if (dims[static_cast<size_t>(d)] == Dim(1)) continue;
    if (d < last) return false;
    last = d;
  }
  return true;
}

Result<bool> transpose(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), kMoved));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  Ints order = r.list("perm");
  if (order.empty()) {
    for (size_t d = rank; d-- > 0;) order.push_back(static_cast<int64_t>(d));
  }
  if (moves_nothing(*r.dims(r.in(0)), order) && emit_reshape(r, r.in(0))) return true;
  if (rank > 6) return r.unsupported(fmt::format("{} dimensions, at most 6", rank));
  r.finish_emit("TRANSPOSE", {r.in(0), r.int32s(order)});
  return true;
}

Result<bool> concat(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "filbcCsI"));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.out()));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", 0), rank));
  r.finish_emit("CONCATENATION", r.node().inputs, {{"axis", static_cast<int64_t>(axis)}});
  return true;
}

Result<bool> split(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "filcCs"));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", 0), rank));
  std::vector<ValueId> outputs = r.node().outputs;
  Ints sizes;
  for (ValueId& v : outputs) {
    if (v == kNoValue) v = r.graph().add_value("unused", r.dtype(r.in(0)));
  }
  OREE_TRY_ASSIGN(Ints given, r.ints_or_none(1));
  const Dim whole = (*r.dims(r.in(0)))[axis];
  auto parts = static_cast<int64_t>(outputs.size());
  if (given.empty()) {
    if (!whole.known()) return r.unsupported("parts of an axis of unknown size");
    int64_t each = (whole.size + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) given.push_back(std::clamp<int64_t>(whole.size - i * each, 0, each));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    Dims dims = *r.dims(r.in(0));
    dims[axis] = Dim(given[i]);
    r.graph().set_type(outputs[i], r.dtype(r.in(0)), dims);
    if (!r.value(outputs[i]).quantization) r.graph().set_quantization(outputs[i], r.value(r.in(0)).quantization);
  }
  bool equal = std::ranges::all_of(given, [&](int64_t s) { return s == given[0]; });
  ValueId at = r.int32(static_cast<int64_t>(axis));
  if (equal && r.dtype(r.in(0)) != Dtype::kInt64) {
    r.finish_emit_many("SPLIT", {at, r.in(0)}, outputs, {{"num_splits", parts}});
  } else {
    r.finish_emit_many("SPLIT_V", {r.in(0), r.int32s(given), at}, outputs, {{"num_splits", parts}});
  }
  return true;
}

Result<bool> tile(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), kMoved));
  r.finish_emit("TILE", {r.in(0), r.as_int32(r.in(1))});
  return true;
}

Result<bool> expand(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), kMoved));
  std::optional<Shape> shape = r.shape(r.out());
  std::optional<Dims> in = r.dims(r.in(0)), out = r.dims(r.out());
  if (in && out && *in == *out && emit_reshape(r, r.in(0))) return true;
  if (shape && shape->size() > 8) return r.unsupported("more than 8 dimensions");
  bool scalar = in && in->empty();
  if (shape && scalar && !r.value(r.in(0)).quantization) {
    r.finish_emit("FILL", {r.int32s(*shape), r.in(0)});
    return true;
  }
  if (shape) {
    r.finish_emit("BROADCAST_TO", {r.in(0), r.int32s(*shape)});
    return true;
  }
  // ONNX's Expand also leaves what the shape has as 1: only what is longer matters to TFLite.
  ValueId to = r.in(1);
  if (scalar) {
    r.finish_emit("FILL", {r.as_int32(to), r.in(0)});
    return true;
  }
  return r.unsupported("a shape that is computed");
}

// {begins…, ends…} of all axes, or of those of input 3, as a row {begin, end} an axis.
Result<Ints> pad_rows(const Lower& r) {
  OREE_TRY_ASSIGN(Ints pads, r.ints(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(Ints axes, r.ints_or_none(3));
  if (!r.has(3)) {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  if (pads.size() != 2 * axes.size()) return r.invalid("two pads for each axis are needed");
  Ints rows(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    OREE_TRY_ASSIGN(size_t axis, r.axis(axes[i], rank));
    rows[2 * axis] = pads[i];
    rows[2 * axis + 1] = pads[axes.size() + i];
  }
  return rows;
}

// Negative pads, and other modes, were composed.
Result<bool> pad(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "filbcCs"));
  std::string mode = r.text("mode", "constant");
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (rank > 5) return r.unsupported(fmt::format("{} dimensions, at most 5", rank));
  if (!r.constant_of(r.in(1))) {
    if (r.has(3)) return r.unsupported("pads of some axes that are computed");
    ValueId rows = r.add("Reshape", {r.in(1), r.ints_constant({2, static_cast<int64_t>(rank)})});
    rows = r.as_int32(r.add("Transpose", {rows}, {{"perm", Ints{1, 0}}}));
    std::vector<ValueId> inputs{r.in(0), rows};
    if (mode == "constant" && r.has(2)) inputs.push_back(r.in(2));
    Attributes options;
    r.finish_emit(mode != "constant" ? "MIRROR_PAD"
                  : r.has(2)         ? "PADV2"
                                     : "PAD",
                  std::move(inputs), std::move(options));
    return true;
  }
  OREE_TRY_ASSIGN(Ints rows, pad_rows(r));
  if (std::ranges::any_of(rows, [](int64_t p) { return p < 0; })) return r.unsupported("negative pads");
  ValueId paddings = r.reshape(r.int32s(rows), {static_cast<int64_t>(rank), 2});
  if (mode == "reflect") {
    r.finish_emit("MIRROR_PAD", {r.in(0), paddings});
    return true;
  }
  if (mode != "constant") return r.unsupported(fmt::format("the mode '{}'", mode));
  std::optional<double> value = r.number_of(r.in(2));
  bool zero = !r.has(2) || (value == 0 && !r.quantized());
  if (zero) {
    r.finish_emit("PAD", {r.in(0), paddings});
    return true;
  }
  if (r.quantized() && r.value(r.in(2)).quantization != r.value(r.in(0)).quantization) {
    return r.unsupported("a value of another scale");
  }
  r.finish_emit("PADV2", {r.in(0), paddings, r.in(2)});
  return true;
}

Result<bool> reverse_sequence(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "filC"));
  r.finish_emit("REVERSE_SEQUENCE", {r.in(0), r.in(1)},
                {{"seq_dim", r.integer("time_axis", 0)}, {"batch_dim", r.integer("batch_axis", 1)}});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Concat", concat},       {"Expand", expand},
    {"Flatten", flatten},     {"Pad", pad},
    {"Reshape", reshape},     {"ReverseSequence", reverse_sequence},
    {"Split", split},         {"Squeeze", squeeze},
    {"Tile", tile},           {"Transpose", transpose},
    {"Unsqueeze", unsqueeze},
};

}  // namespace

std::span<const LowerEntry> lower_movements() { return kEntries; }

}  // namespace oree
