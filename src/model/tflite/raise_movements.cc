// SPDX-License-Identifier: Apache-2.0
// Operators that give elements another place: shapes, joins, splits, pads.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Status reshape(Raise& r) {
  OREE_TRY(r.want(1));
  std::optional<Constant> constant = r.constant_of(r.in(1));
  if (r.has(1) && !constant) {
    ValueId shape = r.as_vector(r.as_int64(r.in(1)));
    r.finish("Reshape", {r.in(0), shape}, {{"allowzero", int64_t{1}}});
    return {};
  }
  Ints shape = constant ? constant->to_ints() : r.node().integers("new_shape");
  // Old converters write a scalar's shape as {0}.
  if (shape == Ints{0} && r.dims(r.out()) && r.dims(r.out())->empty()) shape.clear();
  Attributes attributes;
  if (std::ranges::find(shape, 0) != shape.end()) attributes.emplace("allowzero", int64_t{1});
  r.finish("Reshape", {r.in(0), r.ints_constant(shape)}, std::move(attributes));
  return {};
}

Status squeeze(Raise& r) {
  OREE_TRY(r.want(1));
  Ints axes = r.node().integers("squeeze_dims");
  std::vector<ValueId> inputs{r.in(0)};
  if (!axes.empty()) inputs.push_back(r.ints_constant(axes));
  r.finish("Squeeze", std::move(inputs));
  return {};
}

Status expand_dims(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Ints axis, r.ints(1));
  if (axis.size() != 1) return r.invalid("needs one axis");
  r.finish("Unsqueeze", {r.in(0), r.ints_constant(axis)});
  return {};
}

Status transpose(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Ints order, r.ints(1));
  for (int64_t& d : order) {
    OREE_TRY_ASSIGN(size_t axis, r.axis(d, order.size()));
    d = static_cast<int64_t>(axis);
  }
  r.finish("Transpose", {r.in(0)}, {{"perm", order}});
  return {};
}

Status concatenation(Raise& r) {
  OREE_TRY(r.want(1));
  r.finish("Concat", r.node().inputs, {{"axis", r.option("axis")}});
  return {};
}

// Inputs: axis, x.
Status split(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Ints axis, r.ints(0));
  if (axis.size() != 1) return r.invalid("needs one axis");
  auto parts = static_cast<int64_t>(r.node().outputs.size());
  r.finish_many("Split", {r.in(1)}, r.node().outputs, {{"axis", axis[0]}, {"num_outputs", parts}});
  return {};
}

// Inputs: x, sizes, axis. One size may be -1: what is left.
Status split_v(Raise& r) {
  OREE_TRY(r.want(3));
  OREE_TRY_ASSIGN(Ints axis, r.ints(2));
  OREE_TRY_ASSIGN(Ints sizes, r.ints(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (axis.size() != 1 || sizes.size() != r.node().outputs.size()) return r.invalid("axis or sizes do not fit");
  OREE_TRY_ASSIGN(size_t at, r.axis(axis[0], rank));
  auto rest = std::ranges::find(sizes, -1);
  if (rest != sizes.end()) {
    const Dim whole = (*r.dims(r.in(0)))[at];
    if (!whole.known()) return r.unsupported("the size of what is left is not known");
    int64_t others = 1;  // the -1 itself
    for (int64_t s : sizes) others += s;
    *rest = whole.size - others;
  }
  if (std::ranges::any_of(sizes, [](int64_t s) { return s < 0; })) return r.invalid("a negative size");
  r.finish_many("Split", {r.in(0), r.ints_constant(sizes)}, r.node().outputs, {{"axis", static_cast<int64_t>(at)}});
  return {};
}

Status pack(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.option("axis"), rank + 1));
  ValueId axes = r.ints_constant(Ints{static_cast<int64_t>(axis)});
  std::vector<ValueId> parts;
  for (ValueId v : r.node().inputs) {
    if (v == kNoValue) return r.invalid("an input is absent");
    parts.push_back(r.add_like(v, "Unsqueeze", {v, axes}));
  }
  r.finish("Concat", std::move(parts), {{"axis", static_cast<int64_t>(axis)}});
  return {};
}

Status unpack(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.option("axis"), rank));
  auto at = static_cast<int64_t>(axis);
  ValueId axes = r.ints_constant(Ints{at});
  size_t count = r.node().outputs.size();
  if (count == 1) {
    r.finish("Squeeze", {r.in(0), axes});
    return {};
  }
  std::vector<ValueId> parts =
      r.add_many("Split", {r.in(0)}, count, {{"axis", at}, {"num_outputs", static_cast<int64_t>(count)}}, r.in(0));
  for (size_t i = 0; i < count; ++i) r.finish("Squeeze", {parts[i], axes}, {}, i);
  return {};
}

Status tile(Raise& r) {
  OREE_TRY(r.want(2));
  r.finish("Tile", {r.in(0), r.as_int64(r.in(1))});
  return {};
}

Status broadcast_to(Raise& r) {
  OREE_TRY(r.want(2));
  r.finish("Expand", {r.in(0), r.as_int64(r.in(1))});
  return {};
}

// TFLite has a row {before, after} for each axis, ONNX all befores and then all afters.
Result<ValueId> pads_of(Raise& r) {
  if (!r.constant_of(r.in(1))) {
    ValueId columns = r.add("Transpose", {r.as_int64(r.in(1))}, {{"perm", Ints{1, 0}}});
    return r.add("Reshape", {columns, r.ints_constant(Ints{-1})});
  }
  OREE_TRY_ASSIGN(Ints rows, r.ints(1));
  size_t n = rows.size() / 2;
  if (rows.size() % 2 != 0 || (r.rank(r.in(0)) && *r.rank(r.in(0)) != n))
    return r.invalid("a row for each axis is needed");
  Ints pads(2 * n);
  for (size_t i = 0; i < n; ++i) {
    if (rows[2 * i] < 0 || rows[2 * i + 1] < 0) return r.invalid("negative padding");
    pads[i] = rows[2 * i];
    pads[n + i] = rows[2 * i + 1];
  }
  return r.ints_constant(pads);
}

Status pad(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(ValueId pads, pads_of(r));
  std::vector<ValueId> inputs{r.in(0), pads};
  if (r.has(2)) inputs.push_back(r.in(2));
  r.finish("Pad", std::move(inputs));
  return {};
}

// SYMMETRIC repeats the border itself: the flipped border before, what there is, the flipped border behind.
Status pad_symmetric(Raise& r, const Ints& rows) {
  ValueId x = r.in(0);
  for (size_t axis = 0; 2 * axis < rows.size(); ++axis) {
    std::vector<ValueId> parts;
    ValueId axes = r.ints_constant(Ints{static_cast<int64_t>(axis)}), back = r.ints_constant(Ints{-1});
    auto flipped = [&](int64_t from, int64_t to) {
      return r.add_like(r.in(0), "Slice", {x, r.ints_constant(Ints{from}), r.ints_constant(Ints{to}), axes, back});
    };
    if (rows[2 * axis] > 0) parts.push_back(flipped(rows[2 * axis] - 1, INT64_MIN));
    parts.push_back(x);
    if (rows[2 * axis + 1] > 0) parts.push_back(flipped(-1, -1 - rows[2 * axis + 1]));
    if (parts.size() > 1) x = r.add_like(r.in(0), "Concat", std::move(parts), {{"axis", static_cast<int64_t>(axis)}});
  }
  r.finish("Identity", {x});
  return {};
}

Status mirror_pad(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(ValueId pads, pads_of(r));
  if (r.option("mode") == 0) {
    r.finish("Pad", {r.in(0), pads}, {{"mode", std::string("reflect")}});
    return {};
  }
  OREE_TRY_ASSIGN(Ints rows, r.ints(1));
  return pad_symmetric(r, rows);
}

Status reverse(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Ints axes, r.ints(1));
  Ints starts(axes.size(), -1), ends(axes.size(), INT64_MIN), steps(axes.size(), -1);
  r.finish("Slice",
           {r.in(0), r.ints_constant(starts), r.ints_constant(ends), r.ints_constant(axes), r.ints_constant(steps)});
  return {};
}

Status reverse_sequence(Raise& r) {
  OREE_TRY(r.want(2));
  int64_t batch = r.option("batch_dim"), time = r.option("seq_dim");
  if (batch + time != 1 || batch < 0 || time < 0) return r.unsupported(fmt::format("axes {} and {}", batch, time));
  r.finish("ReverseSequence", {r.in(0), r.as_int64(r.in(1))}, {{"batch_axis", batch}, {"time_axis", time}});
  return {};
}

// x in blocks: each spatial axis in two, the block's own axes first, then all of them in front of the batch.
Status space_to_batch(Raise& r) {
  OREE_TRY(r.want(3));
  OREE_TRY_ASSIGN(Ints block, r.ints(1));
  OREE_TRY_ASSIGN(Ints rows, r.ints(2));
  std::optional<Shape> shape = r.shape(r.in(0));
  size_t n = block.size();
  if (!shape) return r.unsupported("the shape of its input is not known");
  if (shape->size() < n + 1 || rows.size() != 2 * n) return r.invalid("blocks do not fit the input");
  size_t rank = shape->size();
  Ints pads(2 * rank, 0), split{(*shape)[0]}, order, joined{(*shape)[0]};
  for (size_t i = 0; i < n; ++i) {
    pads[i + 1] = rows[2 * i];
    pads[rank + i + 1] = rows[2 * i + 1];
    int64_t size = (*shape)[i + 1] + rows[2 * i] + rows[2 * i + 1];
    if (block[i] < 1 || rows[2 * i] < 0 || rows[2 * i + 1] < 0 || size % block[i] != 0) {
      return r.invalid("blocks do not fit the input");
    }
    split.insert(split.end(), {size / block[i], block[i]});
    order.push_back(static_cast<int64_t>(2 * i + 2));
    joined[0] *= block[i];
    joined.push_back(size / block[i]);
  }
  order.push_back(0);
  for (size_t i = 0; i < n; ++i) order.push_back(static_cast<int64_t>(2 * i + 1));
  for (size_t i = n + 1; i < rank; ++i) {
    order.push_back(static_cast<int64_t>(split.size()));
    split.push_back((*shape)[i]);
    joined.push_back((*shape)[i]);
  }
  ValueId padded = r.add_like(r.in(0), "Pad", {r.in(0), r.ints_constant(pads)});
  r.finish("Reshape", {r.permute(r.reshape(padded, split), order), r.ints_constant(joined)});
  return {};
}

Status batch_to_space(Raise& r) {
  OREE_TRY(r.want(3));
  OREE_TRY_ASSIGN(Ints block, r.ints(1));
  OREE_TRY_ASSIGN(Ints crops, r.ints(2));
  std::optional<Shape> shape = r.shape(r.in(0));
  size_t n = block.size();
  if (!shape) return r.unsupported("the shape of its input is not known");
  if (shape->size() < n + 1 || crops.size() != 2 * n) return r.invalid("blocks do not fit the input");
  size_t rank = shape->size();
  int64_t batch = (*shape)[0];
  Ints split, order{static_cast<int64_t>(n)}, joined, starts, ends, axes;
  for (size_t i = 0; i < n; ++i) {
    if (block[i] < 1 || batch % block[i] != 0 || crops[2 * i] < 0 || crops[2 * i + 1] < 0) {
      return r.invalid("blocks do not fit the input");
    }
    batch /= block[i];
    split.push_back(block[i]);
  }
  split.push_back(batch);
  joined.push_back(batch);
  for (size_t i = 1; i < rank; ++i) {
    order.push_back(static_cast<int64_t>(n + i));
    split.push_back((*shape)[i]);
    joined.push_back((*shape)[i]);
    if (i > n) continue;
    order.push_back(static_cast<int64_t>(i - 1));
    joined.back() *= block[i - 1];
    starts.push_back(crops[2 * i - 2]);
    ends.push_back(joined.back() - crops[2 * i - 1]);
    axes.push_back(static_cast<int64_t>(i));
  }
  ValueId whole = r.reshape(r.permute(r.reshape(r.in(0), split), order), joined);
  r.finish("Slice", {whole, r.ints_constant(starts), r.ints_constant(ends), r.ints_constant(axes)});
  return {};
}

constexpr RaiseEntry kEntries[] = {
    {"RESHAPE", reshape},
    {"SQUEEZE", squeeze},
    {"EXPAND_DIMS", expand_dims},
    {"TRANSPOSE", transpose},
    {"CONCATENATION", concatenation},
    {"SPLIT", split},
    {"SPLIT_V", split_v},
    {"PACK", pack},
    {"UNPACK", unpack},
    {"TILE", tile},
    {"BROADCAST_TO", broadcast_to},
    {"PAD", pad},
    {"PADV2", pad},
    {"MIRROR_PAD", mirror_pad},
    {"REVERSE_V2", reverse},
    {"REVERSE_SEQUENCE", reverse_sequence},
    {"SPACE_TO_BATCH_ND", space_to_batch},
    {"BATCH_TO_SPACE_ND", batch_to_space},
};

}  // namespace

std::span<const RaiseEntry> raise_movements() { return kEntries; }

}  // namespace oree
