// SPDX-License-Identifier: Apache-2.0
// Normalisations, and the losses that training graphs end in.
#include <fmt/format.h>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

// Inputs from the second on are vectors, one number a channel.
Status want_channels(const Inference& in, const Dim& channels) {
  for (size_t i = 1; i < in.inputs(); ++i) {
    OREE_TRY(want_rank(in, i, 1));
    if (std::optional<Dims> d = in.dims(i)) OREE_TRY(same_dim(in, (*d)[0], channels, "numbers a channel"));
  }
  return {};
}

Status infer_channels(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  OREE_TRY(want_rank_min(in, 0, 2));
  OREE_TRY(want_channels(in, x ? (*x)[1] : Dim()));
  return infer_same(in);
}

Status infer_batch_normalization(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  // Batches of numbers have one channel.
  OREE_TRY(want_channels(in, !x ? Dim() : x->size() > 1 ? (*x)[1] : Dim(1)));
  in.set(0, in.dtype(0), x);
  for (size_t i = 1; i < 3; ++i) in.set(i, in.dtype(i + 2), in.dims(i + 2));
  return {};
}

Status infer_group_normalization(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  int64_t groups = in.node().integer("num_groups", 0);
  OREE_TRY(want_rank_min(in, 0, 2));
  if (groups < 1 || (x && (*x)[1].known() && (*x)[1].size % groups != 0))
    return in.fail(fmt::format("{} groups of channels", groups));
  OREE_TRY(want_channels(in, x ? (*x)[1] : Dim()));
  return infer_same(in);
}

// Mean and inverse deviation have 1 where the normalised axes were.
Status infer_layer_normalization(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dtype> stash, dtype_attribute(in, "stash_type", Dtype::kFloat32));
  for (size_t i = 1; i < in.inputs(); ++i) OREE_TRY(want_one_way(in, i));
  std::optional<Dims> x = in.dims(0), left = x;
  if (x) {
    OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", -1), x->size()));
    for (size_t i = axis; i < left->size(); ++i) (*left)[i] = 1;
  }
  in.set(0, in.dtype(0), x);
  for (size_t i = 1; i < 3; ++i) in.set(i, stash, left);
  return {};
}

Status infer_rms_normalization(Inference& in) {
  for (size_t i = 0; i < 2; ++i) {  // of two types, perhaps
    if (in.dtype(i) && !dtype_is_float(*in.dtype(i)))
      return in.fail(fmt::format("input {} is {}", i, dtype_name(*in.dtype(i))));
  }
  OREE_TRY(want_one_way(in, 1));
  if (std::optional<Dims> x = in.dims(0)) OREE_TRY(axis_of(in, in.node().integer("axis", -1), x->size()));
  in.set(0, in.dtype(1), in.dims(0));
  return {};
}

Status infer_lrn(Inference& in) {
  OREE_TRY(want_rank_min(in, 0, 2));
  if (in.node().integer("size", 0) < 1) return in.fail("the size must be above 0");
  return infer_same(in);
}

Status infer_mean_variance(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  if (x && in.node().find("axes") != nullptr) OREE_TRY(axes_of(in, in.node().integers("axes"), x->size()));
  return infer_same(in);
}

// scores [N, C, d...], labels [N, d...] -> loss, [N, d...] or a scalar
Status infer_loss(Inference& in) {
  std::string reduction = in.node().text("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    return in.fail(fmt::format("reduction '{}'", reduction.substr(0, 32)));
  OREE_TRY(want_integers(in, 1));
  OREE_TRY(want_same_dtype(in, {0, 2}));
  std::optional<Dims> scores = in.dims(0), labels = in.dims(1);
  OREE_TRY(want_rank_min(in, 0, 2));
  if (scores) OREE_TRY(want_rank(in, 1, scores->size() - 1));
  for (size_t i = 0; scores && labels && i < labels->size(); ++i) {
    OREE_TRY_ASSIGN((*labels)[i],
                    same_dim(in, (*labels)[i], (*scores)[i == 0 ? 0 : i + 1], "scores and labels differ"));
  }
  if (!labels && scores) {
    labels = scores;
    labels->erase(labels->begin() + 1);
  }
  in.set(0, in.dtype(0), reduction == "none" ? labels : Dims());
  in.set(1, in.dtype(0), scores);
  return {};
}

constexpr AttributeDef kEpsilon[] = {{"epsilon", kFloat}};
constexpr AttributeDef kBatch[] = {{"epsilon", kFloat}, {"momentum", kFloat}, {"training_mode", kInt}};
constexpr AttributeDef kGroup[] = {{"epsilon", kFloat}, {"num_groups", kInt, true}, {"stash_type", kInt}};
constexpr AttributeDef kLayer[] = {{"axis", kInt}, {"epsilon", kFloat}, {"stash_type", kInt}};
constexpr AttributeDef kLrn[] = {{"alpha", kFloat}, {"beta", kFloat}, {"bias", kFloat}, {"size", kInt, true}};
constexpr AttributeDef kAxes[] = {{"axes", kInts}};
constexpr AttributeDef kLoss[] = {{"ignore_index", kInt}, {"reduction", kText}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"BatchNormalization", 5, 5, 1, 3, kNoTraits, kBatch, infer_batch_normalization},
    {"GroupNormalization", 3, 3, 1, 1, kNoTraits, kGroup, infer_group_normalization},
    {"InstanceNormalization", 3, 3, 1, 1, kNoTraits, kEpsilon, infer_channels},
    {"LRN", 1, 1, 1, 1, kNoTraits, kLrn, infer_lrn},
    {"LayerNormalization", 2, 3, 1, 3, kNoTraits, kLayer, infer_layer_normalization},
    {"MeanVarianceNormalization", 1, 1, 1, 1, kNoTraits, kAxes, infer_mean_variance},
    {"NegativeLogLikelihoodLoss", 2, 3, 1, 1, kNoTraits, kLoss, infer_loss},
    {"RMSNormalization", 2, 2, 1, 1, kNoTraits, kLayer, infer_rms_normalization},
    {"SoftmaxCrossEntropyLoss", 2, 3, 1, 2, kNoTraits, kLoss, infer_loss},
};

}  // namespace

std::span<const OpDef> normalise_ops() { return kOps; }

}  // namespace oree
