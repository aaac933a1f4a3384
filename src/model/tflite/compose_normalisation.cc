// SPDX-License-Identifier: Apache-2.0
// Normalisations, from means and roots.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Attributes keep(bool keep_dims = true) { return {{"keepdims", int64_t{keep_dims}}}; }

// {-1, 1, 1, …}: numbers of channels as they lie in an image.
ValueId by_channel(Lower& r, ValueId numbers, size_t rank) {
  Ints shape(rank - 1, 1);
  std::optional<Dims> dims = r.dims(numbers);
  shape[0] = dims && dims->size() == 1 && (*dims)[0].known() ? (*dims)[0].size : -1;
  return r.reshape(numbers, shape);
}

// x less its mean, and the root of its variance and epsilon, over some axes.
struct Moments {
  ValueId centred, deviation, mean;
};
Moments moments(Lower& r, ValueId x, const Ints& axes, double epsilon) {
  Moments m{};
  ValueId over = r.ints_constant(axes);
  m.mean = r.add("ReduceMean", {x, over}, keep());
  m.centred = r.add("Sub", {x, m.mean});
  ValueId variance = r.add("ReduceMean", {r.add("Mul", {m.centred, m.centred}), over}, keep());
  m.deviation = r.add("Sqrt", {r.add("Add", {variance, r.number_like(x, epsilon)})});
  return m;
}

Ints axes_from(size_t first, size_t rank) {
  Ints out;
  for (size_t d = first; d < rank; ++d) out.push_back(static_cast<int64_t>(d));
  return out;
}

// Constants become one factor and one offset a channel.
Result<bool> batch_normalization(Lower& r) {
  OREE_TRY(r.want(5));
  OREE_TRY(r.want_plain());
  if (r.integer("training_mode", 0) != 0) return r.unsupported("training");
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (rank < 2) return r.unsupported("without channels");
  double epsilon = static_cast<double>(r.real("epsilon", 1e-5F));
  std::vector<std::vector<double>> c;
  for (size_t i = 1; i < 5; ++i) {
    std::optional<Constant> constant = r.constant_of(r.in(i));
    if (constant) c.push_back(constant->to_doubles());
  }
  bool fit = c.size() == 4 && std::ranges::all_of(c, [&](const auto& v) { return v.size() == c[0].size(); });
  ValueId factor = kNoValue, offset = kNoValue;
  if (fit && r.dtype(r.in(1)) == Dtype::kFloat32) {
    std::vector<float> factors, offsets;
    for (size_t i = 0; i < c[0].size(); ++i) {
      double f = c[0][i] / std::sqrt(c[3][i] + epsilon);
      factors.push_back(static_cast<float>(f));
      offsets.push_back(static_cast<float>(c[1][i] - c[2][i] * f));
    }
    Shape shape{static_cast<int64_t>(factors.size())};
    factor = r.constant(Constant::of_floats(factors, shape));
    offset = r.constant(Constant::of_floats(offsets, shape));
  } else {
    ValueId deviation = r.add("Sqrt", {r.add("Add", {r.in(4), r.number_like(r.in(4), epsilon)})});
    factor = r.add("Div", {r.in(1), deviation});
    offset = r.add("Sub", {r.in(2), r.add("Mul", {r.in(3), factor})});
  }
  ValueId scaled = r.add("Mul", {r.in(0), by_channel(r, factor, rank)});
  r.finish("Add", {scaled, by_channel(r, offset, rank)});
  return true;
}

Result<bool> plain_instances(Lower& r, size_t rank) {
  Moments m = moments(r, r.in(0), axes_from(2, rank), static_cast<double>(r.real("epsilon", 1e-5F)));
  ValueId scaled = r.add("Mul", {r.add("Div", {m.centred, m.deviation}), by_channel(r, r.in(1), rank)});
  r.finish("Add", {scaled, by_channel(r, r.in(2), rank)});
  return true;
}

// Means of channels, [N, C, 1, ...], become those of the groups that they are in.
ValueId over_groups(Lower& r, ValueId means, int64_t groups) {
  const Shape shape = *r.shape(means);
  const Ints split{shape[0], groups, shape[1] / groups};
  ValueId mean = r.add("ReduceMean", {r.reshape(means, split), r.ints_constant({2})}, keep());
  return r.reshape(r.add("Expand", {mean, r.ints_constant(split)}), shape);
}

// x in groups of channels, each less its mean and over its deviation. Channels stay where they are, so that this can be
// computed in any layout.
ValueId group_normal(Lower& r, ValueId x, const Shape& shape, int64_t groups) {
  ValueId over = r.ints_constant(axes_from(2, shape.size()));
  auto mean = [&](ValueId v) { return over_groups(r, r.add("ReduceMean", {v, over}, keep()), groups); };
  ValueId centred = r.add("Sub", {x, mean(x)});
  ValueId variance = mean(r.add("Mul", {centred, centred}));
  const auto epsilon = static_cast<double>(r.real("epsilon", 1e-5F));
  return r.add("Div", {centred, r.add("Sqrt", {r.add("Add", {variance, r.number_like(x, epsilon)})})});
}

bool has_none(const Shape& shape) { return std::ranges::find(shape, 0) != shape.end(); }

bool all_are(const Lower& r, ValueId v, double number) {
  std::optional<Constant> c = r.constant_of(v);
  if (!c) return false;
  return std::ranges::all_of(c->to_doubles(), [&](double d) { return d == number; });
}

// Exporters write a normalisation of groups as a Reshape that makes a channel of each group, this, and a Reshape back.
bool groups_of_reshape(Lower& r) {
  const NodeId before = r.value(r.in(0)).producer, after = r.graph().only_user(r.out());
  if (before == kNoNode || after == kNoNode) return false;
  const Node &split = r.graph().node(before), &join = r.graph().node(after);
  if (!split.is("Reshape") || !join.is("Reshape") || join.block != r.block()) return false;
  const ValueId x = split.inputs[0];
  std::optional<Shape> whole = r.shape(x), parts = r.shape(r.in(0));
  if (!whole || !parts || whole->size() < 3 || parts->size() != 3 || r.shape(join.outputs[0]) != whole) return false;
  const int64_t groups = (*parts)[1];
  if ((*parts)[0] != (*whole)[0] || groups < 1 || (*whole)[1] % groups != 0 || has_none(*whole)) return false;
  if (!all_are(r, r.in(1), 1) || !all_are(r, r.in(2), 0)) return false;
  r.take_over(after);
  r.finish("Identity", {group_normal(r, x, *whole, groups)});
  return true;
}

Result<bool> instance_normalization(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (rank < 3) return r.unsupported("without an image");
  return groups_of_reshape(r) ? Result<bool>(true) : plain_instances(r, rank);
}

Result<bool> layer_normalization(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", -1), rank));
  Moments m = moments(r, r.in(0), axes_from(axis, rank), static_cast<double>(r.real("epsilon", 1e-5F)));
  ValueId scaled = r.add("Mul", {r.add("Div", {m.centred, m.deviation}), r.in(1)});
  if (r.has(2)) {
    r.finish("Add", {scaled, r.in(2)});
  } else {
    r.finish("Identity", {scaled});
  }
  if (r.out(1) != kNoValue) r.finish("Identity", {m.mean}, {}, 1);
  if (r.out(2) != kNoValue) r.finish("Div", {r.number_like(m.deviation, 1), m.deviation}, {}, 2);
  return true;
}

Result<bool> rms_normalization(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", -1), rank));
  ValueId x = r.in(0), over = r.ints_constant(axes_from(axis, rank));
  ValueId square = r.add("ReduceMean", {r.add("Mul", {x, x}), over}, keep());
  ValueId root =
      r.add("Sqrt", {r.add("Add", {square, r.number_like(x, static_cast<double>(r.real("epsilon", 1e-5F)))})});
  r.finish("Mul", {r.add("Div", {x, root}), r.in(1)});
  return true;
}

// Groups of channels, each with its own mean and deviation.
Result<bool> group_normalization(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  int64_t groups = r.integer("num_groups", 1);
  if (shape.size() < 3 || groups < 1 || shape[1] % groups != 0) return r.invalid(fmt::format("{} groups", groups));
  if (has_none(shape)) return r.unsupported("an image without elements");
  ValueId normal = group_normal(r, r.in(0), shape, groups);
  ValueId scaled = r.add("Mul", {normal, by_channel(r, r.in(1), shape.size())});
  r.finish("Add", {scaled, by_channel(r, r.in(2), shape.size())});
  return true;
}

Result<bool> lp_normalization(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  int64_t p = r.integer("p", 2);
  if (p != 1 && p != 2) return r.unsupported(fmt::format("a norm of {}", p));
  ValueId norm = r.add(p == 1 ? "ReduceL1" : "ReduceL2", {r.in(0), r.ints_constant({r.integer("axis", -1)})}, keep());
  // Where all is zero it stays zero.
  ValueId none = r.add("Equal", {norm, r.number_like(norm, 0)});
  r.finish("Div", {r.in(0), r.add("Where", {none, r.number_like(norm, 1), norm})});
  return true;
}

Result<bool> mean_variance_normalization(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  Ints axes = r.list("axes");
  if (axes.empty()) axes = {0, 2, 3};
  Moments m = moments(r, r.in(0), axes, 0);
  r.finish("Div", {m.centred, r.add("Add", {m.deviation, r.number_like(r.in(0), 1e-9)})});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"BatchNormalization", batch_normalization},
    {"GroupNormalization", group_normalization},
    {"InstanceNormalization", instance_normalization},
    {"LayerNormalization", layer_normalization},
    {"LpNormalization", lp_normalization},
    {"MeanVarianceNormalization", mean_variance_normalization},
    {"RMSNormalization", rms_normalization},
};

}  // namespace

std::span<const LowerEntry> compose_normalisation() { return kEntries; }

}  // namespace oree
