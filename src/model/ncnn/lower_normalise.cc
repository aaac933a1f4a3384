// SPDX-License-Identifier: Apache-2.0
// Normalizations, softmax and sums along axes.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "model/ncnn/ncnn_lower.h"

namespace oree {
namespace {

int64_t product(const Shape& shape, size_t begin, size_t end) {
  int64_t all = 1;
  for (size_t i = begin; i < end; ++i) all *= shape[i];
  return all;
}

// How many leading dimensions ncnn does not see: one, or none.
size_t unseen(const Shape& shape) { return shape.size() - std::min(shape.size(), ncnn_mat(shape).size()); }

// A scale or bias with one number for each channel.
Result<Constant> per_channel(const NcnnNode& n, size_t input, int64_t channels, float otherwise) {
  if (!n.has(input)) {
    const std::vector<float> all(static_cast<size_t>(channels), otherwise);
    return Constant::of_floats(all, {channels});
  }
  std::optional<Constant> c = n.floats(input);
  if (!c || c->elements() != channels)
    return n.unsupported(fmt::format("its operand {} is no constant of {} floats", input, channels));
  return *c;
}

Status batch_norm(NcnnNode& n) {
  OREE_TRY(n.want_one_item(0));
  if (n.integer("training_mode", 0) != 0) return n.unsupported("it trains");
  const int64_t channels = n.shape(0)[1];
  std::vector<NcnnWeights> weights;
  for (size_t input : {1, 3, 4, 2}) {  // scale, mean, variance, bias: ncnn's order
    OREE_TRY_ASSIGN(Constant one, per_channel(n, input, channels, 0));
    weights.push_back({one});
  }
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  n.finish("BatchNorm", {x}, NcnnParams().set(0, channels).set(1, n.real("epsilon", 1e-5F)), std::move(weights));
  return {};
}

// Over the last dimension as it lies; over several as rows.
Status layer_norm(NcnnNode& n) {
  if (n.node().output(1) != kNoValue || n.node().output(2) != kNoValue)
    return n.unsupported("its mean and deviation are wanted");
  const Shape& shape = n.shape(0);
  OREE_TRY_ASSIGN(size_t axis, n.axis(n.integer("axis", -1), shape.size()));
  const int64_t inner = product(shape, axis, shape.size()), outer = product(shape, 0, axis);
  OREE_TRY_ASSIGN(Constant scale, per_channel(n, 1, inner, 1));
  OREE_TRY_ASSIGN(Constant bias, per_channel(n, 2, inner, 0));
  const bool last = axis + 1 == shape.size();
  const Shape mat = last ? ncnn_mat(shape) : outer == 1 ? Shape{inner} : Shape{outer, inner};
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0, mat));
  n.finish("LayerNorm", {x}, mat, NcnnParams().set(0, inner).set(1, n.real("epsilon", 1e-5F)).set(2, 1),
           {{scale}, {bias}});
  return {};
}

// Channels by rows of what each has.
Status group_norm(NcnnNode& n, int64_t groups) {
  OREE_TRY(n.want_one_item(0));
  const Shape& shape = n.shape(0);
  const int64_t channels = shape[1];
  if (groups < 1 || channels % groups != 0) return n.invalid(fmt::format("{} groups of {} channels", groups, channels));
  OREE_TRY_ASSIGN(Constant scale, per_channel(n, 1, channels, 1));
  OREE_TRY_ASSIGN(Constant bias, per_channel(n, 2, channels, 0));
  const Shape mat = {channels, 1, product(shape, 2, shape.size())};
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0, mat));
  NcnnParams p;
  p.set(0, groups).set(1, channels).set(2, n.real("epsilon", 1e-5F)).set(3, 1);
  n.finish("GroupNorm", {x}, mat, std::move(p), {{scale}, {bias}});
  return {};
}
Status group_normalization(NcnnNode& n) { return group_norm(n, n.integer("num_groups", 0)); }
Status instance_normalization(NcnnNode& n) {
  OREE_TRY(n.want_one_item(0));
  return group_norm(n, n.shape(0)[1]);
}

Status softmax(NcnnNode& n) {
  const Shape& shape = n.shape(0);
  OREE_TRY_ASSIGN(size_t axis, n.axis(n.integer("axis", -1), std::max<size_t>(1, shape.size())));
  if (axis < unseen(shape)) return n.unsupported("a softmax over the one item of a batch");
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  n.finish("Softmax", {x}, NcnnParams().set(0, static_cast<int64_t>(axis - unseen(shape))).set(1, 1));
  return {};
}

// --- sums along axes
struct Sum {
  std::string_view op;
  int operation;
  bool keeps_one;  // of one element it is that element
};
constexpr Sum kSums[] = {
    {"ReduceL1", 7, false},  {"ReduceL2", 8, false},  {"ReduceLogSumExp", 10, true},
    {"ReduceMax", 4, true},  {"ReduceMean", 3, true}, {"ReduceMin", 5, true},
    {"ReduceProd", 6, true}, {"ReduceSum", 0, true},  {"ReduceSumSquare", 2, false},
};

Status reduce(NcnnNode& n) {
  auto entry = std::ranges::find(kSums, n.node().op, &Sum::op);
  OREE_ASSERT(entry != std::end(kSums));
  const Shape& shape = n.shape(0);
  std::vector<int64_t> axes;
  if (n.has(1)) {
    OREE_TRY_ASSIGN(axes, n.ints(1));
  }
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  if (axes.empty() && n.integer("noop_with_empty_axes", 0) != 0) {
    n.finish_with(x);
    return {};
  }
  if (axes.empty()) {
    axes.resize(shape.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (shape.empty()) return n.unsupported("a scalar is reduced");
  Shape mat = n.net().mat(x);
  std::vector<int64_t> seen;
  for (int64_t a : axes) {
    OREE_TRY_ASSIGN(size_t axis, n.axis(a, shape.size()));
    if (axis < unseen(shape)) continue;
    seen.push_back(static_cast<int64_t>(axis - unseen(shape)));
    mat[axis - unseen(shape)] = 1;
  }
  if (seen.empty() && !entry->keeps_one) return n.unsupported("it goes over the one item of a batch");
  if (!seen.empty()) {
    NcnnParams p;
    p.set(0, entry->operation).set(1, 0).set(3, std::span<const int64_t>(seen)).set(4, 1).set(5, 1);
    x = n.layer("Reduction", {x}, mat, std::move(p));
  }
  n.finish_with(x);
  return {};
}

constexpr NcnnEntry kEntries[] = {
    {"BatchNormalization", batch_norm},
    {"GroupNormalization", group_normalization},
    {"InstanceNormalization", instance_normalization},
    {"LayerNormalization", layer_norm},
    {"ReduceL1", reduce},
    {"ReduceL2", reduce},
    {"ReduceLogSumExp", reduce},
    {"ReduceMax", reduce},
    {"ReduceMean", reduce},
    {"ReduceMin", reduce},
    {"ReduceProd", reduce},
    {"ReduceSum", reduce},
    {"ReduceSumSquare", reduce},
    {"Softmax", softmax},
};

}  // namespace

std::span<const NcnnEntry> ncnn_normalise() { return kEntries; }

}  // namespace oree
