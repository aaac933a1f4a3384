// SPDX-License-Identifier: Apache-2.0
// Operators that look elements up, and those that make tensors from numbers.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// Operators whose results count from zero: never negative.
bool counts(const Node& node) {
  static constexpr std::string_view kCounting[] = {"ArgMax", "ArgMin",    "TopK",    "NonZero", "Shape",
                                                   "Size",   "ARG_MAX",   "ARG_MIN", "TOPK_V2", "WHERE",
                                                   "SHAPE",  "FLOOR_MOD", "Mod"};
  return std::ranges::find(kCounting, node.op) != std::end(kCounting);
}

bool never_negative(const Lower& r, ValueId v) {
  if (std::optional<Constant> c = r.constant_of(v)) {
    return std::ranges::all_of(c->to_ints(), [](int64_t i) { return i >= 0; });
  }
  if (r.integer("tflite.counted_from_zero", 0) != 0) return true;
  for (NodeId p = r.value(v).producer; p != kNoNode;) {
    const Node& node = r.graph().node(p);
    if (counts(node)) return true;
    bool passes = node.is("Cast") || node.op == "CAST" || node.is("Reshape") || node.op == "RESHAPE";
    if (!passes || node.inputs[0] == kNoValue) return false;
    p = r.value(node.inputs[0]).producer;
  }
  return false;
}

// ONNX counts negative indices from the end, TFLite does not know them.
Result<ValueId> from_zero(Lower& r, ValueId indices, size_t axis) {
  if (never_negative(r, indices)) return indices;
  const Dim size = (*r.dims(r.in(0)))[axis];
  if (std::optional<Constant> c = r.constant_of(indices)) {
    if (!size.known()) return r.unsupported("negative indices into an axis of unknown size");
    Ints values = c->to_ints();
    for (int64_t& v : values) v += v < 0 ? size.size : 0;
    ValueId moved = r.reshape(r.int32s(values), c->shape());
    return moved;
  }
  if (!size.known()) return r.unsupported("indices that may be negative into an axis of unknown size");
  return r.add("Mod", {indices, r.number_like(indices, static_cast<double>(size.size))});
}

Result<bool> gather(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "filbcCs"));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", 0), rank));
  OREE_TRY_ASSIGN(ValueId indices, from_zero(r, r.in(1), axis));
  if (std::optional<Constant> c = r.constant_of(indices); c && c->dtype() == Dtype::kInt64)
    indices = r.as_int32(indices);
  r.finish_emit("GATHER", {r.in(0), indices}, {{"axis", static_cast<int64_t>(axis)}});
  return true;
}

// Without batch axes, or with as many as lead to single elements; the rest was composed.
Result<bool> gather_nd(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "filbcCs"));
  int64_t batch = r.integer("batch_dims", 0);
  std::optional<Shape> places = r.shape(r.in(1));
  if (batch > 0) {
    if (!places || places->empty() || places->back() != 1) return r.unsupported(fmt::format("{} batch axes", batch));
    OREE_TRY_ASSIGN(ValueId indices, from_zero(r, r.in(1), static_cast<size_t>(batch)));
    Ints shape(places->begin(), places->end() - 1);
    r.finish_emit("GATHER", {r.in(0), r.as_int32(r.reshape(indices, shape))}, {{"axis", batch}, {"batch_dims", batch}});
    return true;
  }
  ValueId indices = r.in(1);
  if (!never_negative(r, indices)) {
    std::optional<Shape> shape = r.shape(r.in(0));
    if (!shape || !places || places->empty()) return r.unsupported("indices that may be negative");
    auto depth = static_cast<size_t>(places->back());
    if (depth > shape->size()) return r.invalid("longer indices than its data has axes");
    Tensor sizes(*r.dtype(indices), {places->back()});
    for (size_t i = 0; i < depth; ++i) {
      if (sizes.dtype() == Dtype::kInt32) sizes.as<int32_t>()[i] = static_cast<int32_t>((*shape)[i]);
      if (sizes.dtype() == Dtype::kInt64) sizes.as<int64_t>()[i] = (*shape)[i];
    }
    indices = r.add("Mod", {indices, r.constant(Constant(std::move(sizes)))});
  }
  r.finish_emit("GATHER_ND", {r.in(0), indices});
  return true;
}

// Zeros and the sum of what meets at each place; what the operand holds was composed.
Result<bool> scatter_nd(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_type(r.in(2), "filbcC"));
  std::optional<Shape> shape = r.shape(r.in(0));
  bool zeros = r.is_zeros(r.in(0));
  if (!zeros || r.text("reduction", "none") != "add") return r.unsupported("data of its own");
  ValueId size = shape ? r.int32s(*shape) : r.as_int32(r.add("Shape", {r.in(0)}));
  r.finish_emit("SCATTER_ND", {r.as_int32(r.in(1)), r.in(2), size});
  return true;
}

Result<bool> one_hot(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_type(r.out(), "filbcC"));
  std::optional<double> depth = r.number_of(r.in(1));
  std::optional<Constant> values = r.constant_of(r.in(2));
  ValueId count = depth ? r.int32(static_cast<int64_t>(*depth)) : r.as_int32(r.reshape(r.in(1), Ints{}));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.out()));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", -1), rank));
  ValueId on = kNoValue, off = kNoValue;
  if (values) {
    std::vector<double> pair = values->to_doubles();
    if (pair.size() != 2) return r.invalid("needs two values");
    off = r.number_like(r.in(2), pair[0]);
    on = r.number_like(r.in(2), pair[1]);
  } else {
    auto pick = [&](int64_t i) {
      return r.reshape(r.add("Slice", {r.in(2), r.ints_constant({i}), r.ints_constant({i + 1})}), Ints{});
    };
    off = pick(0);
    on = pick(1);
  }
  ValueId places = r.is_float(r.in(0)) ? r.cast(r.in(0), Dtype::kInt32) : r.in(0);
  if (!never_negative(r, places)) {
    if (!depth) return r.unsupported("indices that may be negative, of unknown depth");
    // Beyond the depth there is nothing, below it counts from the end.
    ValueId behind = r.add("Add", {places, r.number_like(places, *depth)});
    places = r.add("Where", {r.add("Less", {places, r.number_like(places, 0)}), behind, places});
  }
  bool last = axis + 1 == rank;
  r.finish_emit("ONE_HOT", {places, count, on, off}, {{"axis", last ? int64_t{-1} : static_cast<int64_t>(axis)}});
  return true;
}

Result<bool> range(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_type(r.in(0), "fil"));
  r.finish_emit("RANGE", {r.in(0), r.in(1), r.in(2)});
  return true;
}

Result<bool> shape(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  auto n = static_cast<int64_t>(rank);
  auto at = [&](const char* name, int64_t otherwise) {
    int64_t v = r.integer(name, otherwise);
    return std::clamp<int64_t>(v < 0 ? v + n : v, 0, n);
  };
  int64_t begin = at("start", 0), end = at("end", n);
  if (begin == 0 && end == n) {
    bool narrow = r.absorb_cast(Dtype::kInt32);
    r.finish_emit("SHAPE", {r.in(0)}, {{"out_type", int64_t{narrow ? 2 : 4}}});
    return true;
  }
  ValueId whole = r.emit("SHAPE", {r.in(0)}, {{"out_type", int64_t{4}}}, Dtype::kInt64, Dims{Dim(n)});
  r.finish("Slice", {whole, r.ints_constant({begin}), r.ints_constant({end})});
  return true;
}

Result<bool> size(Lower& r) {
  OREE_TRY(r.want(1));
  r.finish("ReduceProd", {r.add("Shape", {r.in(0)})}, {{"keepdims", int64_t{0}}});
  return true;
}

Result<bool> non_zero(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "bfilcCI"));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  ValueId rows = r.emit("WHERE", {r.in(0)}, {}, Dtype::kInt64, Dims{Dim(), Dim(static_cast<int64_t>(rank))});
  r.finish("Transpose", {rows}, {{"perm", Ints{1, 0}}});
  return true;
}

Result<bool> constant_of_shape(Lower& r) {
  OREE_TRY(r.want(1));
  const Attribute* given = r.node().find("value");
  const auto* value = given ? std::get_if<Constant>(given) : nullptr;
  ValueId number = value ? r.constant(value->reshaped({})) : r.constant(Constant::scalar(0.0F));
  OREE_TRY(r.want_type(number, "filbcs"));
  std::optional<Shape> shape = r.shape(r.out());
  r.finish_emit("FILL", {shape ? r.int32s(*shape) : r.as_int32(r.in(0)), number});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"ConstantOfShape", constant_of_shape},
    {"Gather", gather},
    {"GatherND", gather_nd},
    {"NonZero", non_zero},
    {"OneHot", one_hot},
    {"Range", range},
    {"ScatterND", scatter_nd},
    {"Shape", shape},
    {"Size", size},
};

}  // namespace

std::span<const LowerEntry> lower_indices() { return kEntries; }

}  // namespace oree
