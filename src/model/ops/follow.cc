// SPDX-License-Identifier: Apache-2.0
#include "model/ops/follow.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/base/limits.h"
#include "model/ops/infer_parts.h"
#include "model/ops/reshape.h"

namespace oree {
namespace {

// Which element of which tensor comes to a place.
struct Pick {
  size_t tensor;
  size_t element;
};

void give(Inference& in, size_t output, const std::vector<SmallTensor>& from, const std::vector<Pick>& picks) {
  bool ints = std::ranges::all_of(from, [](const SmallTensor& t) { return t.ints.has_value(); });
  bool reals = std::ranges::all_of(from, [](const SmallTensor& t) { return t.reals.has_value(); });
  SymInts out_ints;
  std::vector<double> out_reals;
  for (const Pick& p : picks) {
    // Where a declared shape stands in for what is not known, it need not fit.
    if (p.element >= from[p.tensor].size()) return;
    if (ints) out_ints.push_back((*from[p.tensor].ints)[p.element]);
    if (reals) out_reals.push_back((*from[p.tensor].reals)[p.element]);
  }
  if (ints) {
    give(in, output, std::move(out_ints));
  } else if (reals) {
    give(in, output, std::move(out_reals));
  }
}

std::vector<size_t> strides_of(const Shape& shape) {
  std::vector<size_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * static_cast<size_t>(shape[i]);
  return strides;
}

// Calls with the coordinates of each element in turn.
template <typename Function>
void each_place(const Shape& shape, Function function) {
  if (std::ranges::find(shape, 0) != shape.end()) return;
  std::vector<int64_t> at(shape.size(), 0);
  while (true) {
    function(at);
    size_t axis = shape.size();
    while (axis > 0 && ++at[axis - 1] == shape[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

// The elements keep their order: Reshape and its like.
void follow_same(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0);
  if (!x || !small_output(in, 0)) return;
  if (x->ints) {
    give(in, 0, *std::move(x->ints));
  } else {
    give(in, 0, *std::move(x->reals));
  }
}

void follow_cast(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0);
  std::optional<Dtype> to = in.graph().value(in.node().outputs[0]).dtype;
  if (!x || !to) return;
  if (*to == Dtype::kBool) {
    SymInts out;
    for (size_t i = 0; i < x->size(); ++i) {
      const bool unknown = x->ints && !(*x->ints)[i].value;
      out.push_back(unknown ? SymInt() : SymInt(x->ints ? *(*x->ints)[i].value != 0 : (*x->reals)[i] != 0));
    }
    give(in, 0, std::move(out));
  } else if (x->ints && !dtype_is_float(*to)) {
    give(in, 0, *std::move(x->ints));
  } else if (x->ints) {
    std::vector<double> out;
    for (const SymInt& i : *x->ints) {
      if (!i.value) return;
      out.push_back(static_cast<double>(*i.value));
    }
    give(in, 0, std::move(out));
  } else if (dtype_is_float(*to)) {
    give(in, 0, *std::move(x->reals));
  } else {
    SymInts out;
    for (double v : *x->reals) out.push_back(std::abs(v) < 0x1p62 ? SymInt(static_cast<int64_t>(v)) : SymInt());
    give(in, 0, std::move(out));
  }
}

void follow_shape(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  if (!x) return;
  auto rank = static_cast<int64_t>(x->size());
  auto bound = [&](int64_t v) { return std::clamp<int64_t>(v < 0 && v >= -rank ? v + rank : v, 0, rank); };
  SymInts out;
  for (int64_t i = bound(in.node().integer("start", 0)); i < bound(in.node().integer("end", rank)); ++i) {
    const Dim& d = (*x)[static_cast<size_t>(i)];
    out.push_back(d.known() ? SymInt(d.size) : SymInt(d.symbol));
  }
  give(in, 0, std::move(out));
}

void follow_size(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  if (!x) return;
  Dim n = product(*x);
  give(in, 0, SymInts{n.known() ? SymInt(n.size) : SymInt(n.symbol)});
}

void follow_concat(Inference& in) {
  std::vector<SmallTensor> from;
  for (size_t i = 0; i < in.inputs(); ++i) {
    std::optional<SmallTensor> x = small_input(in, i);
    // Integers of which nothing is known are still so many.
    if (std::optional<Dims> dims = in.dims(i); !x && dims && known_shape(*dims) && in.dtype(i) &&
                                               !dtype_is_float(*in.dtype(i)) && product(*dims).size <= kShapeIntsMax) {
      x = SmallTensor{*known_shape(*dims), SymInts(static_cast<size_t>(product(*dims).size)), {}};
    }
    if (!x) return;
    from.push_back(*std::move(x));
  }
  std::optional<Shape> shape = small_output(in, 0);
  if (!shape) return;
  const size_t axis = axis_of(in, in.node().integer("axis", 0), shape->size()).value();
  std::vector<Pick> picks;
  each_place(*shape, [&](std::vector<int64_t> at) {
    size_t tensor = 0;
    while (at[axis] >= from[tensor].shape[axis]) at[axis] -= from[tensor++].shape[axis];
    std::vector<size_t> strides = strides_of(from[tensor].shape);
    size_t element = 0;
    for (size_t i = 0; i < at.size(); ++i) element += strides[i] * static_cast<size_t>(at[i]);
    picks.push_back({tensor, element});
  });
  give(in, 0, from, picks);
}

// Output place -> place in input 0 whose strides are given; begin is added.
void give_strided(Inference& in, size_t output, SmallTensor x, const std::vector<int64_t>& strides, int64_t begin) {
  std::optional<Shape> shape = small_output(in, output);
  if (!shape || shape->size() != strides.size()) return;
  std::vector<Pick> picks;
  each_place(*shape, [&](const std::vector<int64_t>& at) {
    picks.push_back({0, static_cast<size_t>(std::inner_product(at.begin(), at.end(), strides.begin(), begin))});
  });
  give(in, output, {std::move(x)}, picks);
}

void follow_slice(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0);
  std::optional<std::vector<int64_t>> starts = known_ints(in, 1), ends = known_ints(in, 2);
  std::optional<std::vector<int64_t>> axes = known_ints(in, 3), steps = known_ints(in, 4);
  if (!x || !starts || !ends || (in.has(3) && !axes) || (in.has(4) && !steps) || !small_output(in, 0)) return;
  std::vector<size_t> stride = strides_of(x->shape);
  std::vector<int64_t> strides(stride.begin(), stride.end());
  int64_t begin = 0;
  for (size_t i = 0; i < starts->size(); ++i) {
    const auto place = axes ? axis_of(in, (*axes)[i], x->shape.size()).value() : i;
    SliceRange r = slice_range(x->shape[place], (*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1);
    begin += r.begin * strides[place];
    // A step beyond the tensor is never taken.
    strides[place] = r.count > 1 ? strides[place] * r.step : 0;
  }
  give_strided(in, 0, *std::move(x), strides, begin);
}

void follow_transpose(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0);
  if (!x) return;
  std::vector<size_t> stride = strides_of(x->shape);
  std::vector<int64_t> strides(stride.rbegin(), stride.rend());
  std::vector<int64_t> perm = in.node().integers("perm");
  for (size_t i = 0; i < perm.size(); ++i)
    strides[i] = static_cast<int64_t>(stride[axis_of(in, perm[i], stride.size()).value()]);
  give_strided(in, 0, *std::move(x), strides, 0);
}

void follow_split(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0);
  if (!x) return;
  const size_t axis = axis_of(in, in.node().integer("axis", 0), x->shape.size()).value();
  std::vector<size_t> stride = strides_of(x->shape);
  int64_t begin = 0;
  for (size_t i = 0; i < in.outputs(); ++i) {
    std::optional<Shape> part = small_output(in, i);
    if (!part) return;
    give_strided(in, i, *x, {stride.begin(), stride.end()}, begin);
    begin += (*part)[axis] * static_cast<int64_t>(stride[axis]);
  }
}

void follow_gather(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0), indices = small_input(in, 1);
  std::optional<Shape> shape = small_output(in, 0);
  if (!x || !indices || !indices->ints || !shape) return;
  const size_t axis = axis_of(in, in.node().integer("axis", 0), x->shape.size()).value();
  std::vector<size_t> strides = strides_of(x->shape), index_strides = strides_of(indices->shape);
  std::vector<Pick> picks;
  bool known = true;
  each_place(*shape, [&](const std::vector<int64_t>& at) {
    size_t element = 0, index = 0;
    for (size_t i = 0; i < axis; ++i) element += strides[i] * static_cast<size_t>(at[i]);
    for (size_t i = 0; i < index_strides.size(); ++i) index += index_strides[i] * static_cast<size_t>(at[axis + i]);
    for (size_t i = axis + 1; i < strides.size(); ++i)
      element += strides[i] * static_cast<size_t>(at[i + index_strides.size() - 1]);
    const SymInt& where = (*indices->ints)[index];
    const int64_t size = x->shape[axis];
    known &= where.value && *where.value >= -size && *where.value < size;
    if (!known) return;
    picks.push_back({0, element + strides[axis] * static_cast<size_t>(*where.value + (*where.value < 0 ? size : 0))});
  });
  if (known) give(in, 0, {*std::move(x)}, picks);
}

void follow_expand(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0);
  std::optional<Shape> shape = small_output(in, 0);
  if (!x || !shape) return;
  std::vector<Pick> picks;
  for (size_t place : broadcast_places(x->shape, *shape)) picks.push_back({0, place});
  give(in, 0, {*std::move(x)}, picks);
}

void follow_tile(Inference& in) {
  std::optional<SmallTensor> x = small_input(in, 0);
  std::optional<Shape> shape = small_output(in, 0);
  if (!x || !shape || x->size() == 0) return;
  std::vector<size_t> strides = strides_of(x->shape);
  std::vector<Pick> picks;
  each_place(*shape, [&](const std::vector<int64_t>& at) {
    size_t element = 0;
    for (size_t i = 0; i < at.size(); ++i) element += strides[i] * static_cast<size_t>(at[i] % x->shape[i]);
    picks.push_back({0, element});
  });
  give(in, 0, {*std::move(x)}, picks);
}

void follow_constant_of_shape(Inference& in) {
  std::optional<Shape> shape = small_output(in, 0);
  if (!shape) return;
  auto n = static_cast<size_t>(shape_elements(*shape).value());
  const Attribute* value = in.node().find("value");
  if (value == nullptr) {
    give(in, 0, std::vector<double>(n, 0));
  } else if (const Constant& c = std::get<Constant>(*value); dtype_is_float(c.dtype())) {
    give(in, 0, std::vector<double>(n, c.to_doubles()[0]));
  } else {
    give(in, 0, SymInts(n, SymInt(c.to_ints()[0])));
  }
}

void follow_range(Inference& in) {
  std::optional<std::vector<int64_t>> start = known_ints(in, 0), delta = known_ints(in, 2);
  std::optional<Shape> shape = small_output(in, 0);
  if (!start || !delta || !shape || start->size() != 1 || delta->size() != 1) return;
  SymInts out;
  std::optional<int64_t> next = (*start)[0];
  for (int64_t i = 0; i < (*shape)[0]; ++i) {
    out.push_back(next ? SymInt(*next) : SymInt());
    next = next ? sum(*next, (*delta)[0]) : next;
  }
  give(in, 0, std::move(out));
}

using Follow = void (*)(Inference&);

const std::map<std::string_view, Follow>& followers() {
  static const std::map<std::string_view, Follow> table = {
      {"Cast", follow_cast},           {"CastLike", follow_cast},
      {"Concat", follow_concat},       {"ConstantOfShape", follow_constant_of_shape},
      {"Expand", follow_expand},       {"Flatten", follow_same},
      {"Gather", follow_gather},       {"Identity", follow_same},
      {"Range", follow_range},         {"Reshape", follow_same},
      {"Shape", follow_shape},         {"Size", follow_size},
      {"Slice", follow_slice},         {"Split", follow_split},
      {"Squeeze", follow_same},        {"Tile", follow_tile},
      {"Transpose", follow_transpose}, {"Unsqueeze", follow_same},
  };
  return table;
}

}  // namespace

std::optional<SmallTensor> small_input(const Inference& in, size_t input) {
  std::optional<Dims> dims = in.dims(input);
  std::optional<Shape> shape = dims ? known_shape(*dims) : std::nullopt;
  if (!shape) return std::nullopt;
  SmallTensor out{*std::move(shape), in.ints(input), in.reals(input)};
  if (!out.ints && !out.reals) return std::nullopt;
  Result<int64_t> elements = shape_elements(out.shape);
  if (!elements.ok() || static_cast<size_t>(*elements) != out.size()) return std::nullopt;
  return out;
}

std::optional<Shape> small_output(const Inference& in, size_t output) {
  const ValueId id = in.node().output(output);
  if (id == kNoValue || !in.graph().value(id).dims) return std::nullopt;
  std::optional<Shape> shape = known_shape(*in.graph().value(id).dims);
  if (!shape) return std::nullopt;
  Result<int64_t> elements = shape_elements(*shape);
  return elements.ok() && *elements <= kShapeIntsMax ? shape : std::nullopt;
}

void give(Inference& in, size_t output, SymInts ints) {
  std::optional<Shape> shape = small_output(in, output);
  if (!shape || shape_elements(*shape).value() != static_cast<int64_t>(ints.size())) return;
  const std::optional<Dtype> dtype = in.graph().value(in.node().outputs[output]).dtype;
  if (dtype != Dtype::kInt64 && dtype != Dtype::kInt32 && dtype != Dtype::kBool) return;
  for (SymInt& i : ints) {
    if (dtype == Dtype::kInt32 && i.value && *i.value != static_cast<int32_t>(*i.value)) i = SymInt();
  }
  in.set_ints(output, std::move(ints));
}

void give(Inference& in, size_t output, std::vector<double> reals) {
  std::optional<Shape> shape = small_output(in, output);
  if (!shape || shape_elements(*shape).value() != static_cast<int64_t>(reals.size())) return;
  const std::optional<Dtype> dtype = in.graph().value(in.node().outputs[output]).dtype;
  if (dtype != Dtype::kFloat32 && dtype != Dtype::kFloat64) return;
  for (double& v : reals) {
    if (dtype == Dtype::kFloat32) v = static_cast<double>(static_cast<float>(v));
    if (!std::isfinite(v)) return;
  }
  in.set_reals(output, std::move(reals));
}

std::vector<size_t> broadcast_places(const Shape& from, const Shape& to) {
  std::vector<size_t> strides = strides_of(from), out;
  if (to.size() < from.size()) return out;
  const size_t skip = to.size() - from.size();
  each_place(to, [&](const std::vector<int64_t>& at) {
    size_t place = 0;
    for (size_t i = 0; i < from.size(); ++i) place += from[i] == 1 ? 0 : strides[i] * static_cast<size_t>(at[skip + i]);
    out.push_back(place);
  });
  const auto elements = static_cast<size_t>(shape_elements(from).value());
  if (std::ranges::any_of(out, [&](size_t place) { return place >= elements; })) out.clear();
  return out;
}

void follow_values(Inference& in) {
  if (in.node().output(0) == kNoValue || in.quantized()) return;
  auto it = followers().find(in.node().op);
  if (it != followers().end()) {
    it->second(in);
  } else {
    follow_arithmetic(in);
  }
}

}  // namespace oree
