// SPDX-License-Identifier: Apache-2.0
// Operators over images that are no windows: resizing, sampling, regions, blocks of pixels.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/limits.h"
#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

// One resized dimension from a scale: floor(size * scale), the product in float32 as in every engine.
Result<Dim> scaled(const Inference& in, const Dim& d, double scale) {
  if (!(scale > 0)) return in.fail(fmt::format("a scale of {}", scale));
  if (scale == 1) return d;
  if (!d.known()) return Dim();
  double size = std::floor(static_cast<double>(static_cast<float>(d.size) * static_cast<float>(scale)));
  if (!(size <= static_cast<double>(kTensorElementsMax))) return in.fail(fmt::format("a scale of {}", scale));
  return Dim(static_cast<int64_t>(size));
}

// keep_aspect_ratio_policy: one scale for all axes, the smallest or the largest of those that the sizes ask for.
void keep_ratio(const std::string& policy, Dims& out, const Dims& x, const std::vector<size_t>& axes) {
  double scale = policy == "not_larger" ? INFINITY : 0;
  for (size_t axis : axes) {
    if (!out[axis].known() || !x[axis].known() || x[axis].size == 0) {
      for (size_t a : axes) out[a] = Dim();
      return;
    }
    double s = static_cast<double>(out[axis].size) / static_cast<double>(x[axis].size);
    scale = policy == "not_larger" ? std::min(scale, s) : std::max(scale, s);
  }
  for (size_t axis : axes) {
    double size = std::floor(scale * static_cast<double>(x[axis].size) + 0.5);
    out[axis] = size <= static_cast<double>(kTensorElementsMax) ? Dim(static_cast<int64_t>(size)) : Dim();
  }
}

Result<std::vector<size_t>> resize_axes(const Inference& in, size_t rank) {
  std::vector<int64_t> axes = in.node().integers("axes");
  if (in.node().find("axes") == nullptr) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  return axes_of(in, axes, rank);
}

Status infer_resize(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  if (!x) {
    in.set(0, in.dtype(0), {});
    return {};
  }
  OREE_TRY_ASSIGN(std::vector<size_t> axes, resize_axes(in, x->size()));
  Dims out = *x;
  // An empty tensor stands for one that is absent: old exporters could not leave it out.
  bool by_sizes = in.has(3) && length(in, 3) != 0u;
  if (by_sizes && length(in, 2).value_or(0) > 0) return in.fail("both scales and sizes are given");
  if (by_sizes) {
    OREE_TRY_ASSIGN(std::optional<Dims> sizes, dims_from(in, 3));
    if (sizes && sizes->size() != axes.size())
      return in.fail(fmt::format("{} sizes for {} axes", sizes->size(), axes.size()));
    for (size_t i = 0; i < axes.size(); ++i) out[axes[i]] = sizes ? (*sizes)[i] : Dim();
    std::string policy = in.node().text("keep_aspect_ratio_policy", "stretch");
    if (policy != "stretch") keep_ratio(policy, out, *x, axes);
  } else {
    std::optional<std::vector<double>> scales = in.reals(2);
    if (scales && scales->size() != axes.size())
      return in.fail(fmt::format("{} scales for {} axes", scales->size(), axes.size()));
    for (size_t i = 0; i < axes.size(); ++i) {
      if (!scales) {
        out[axes[i]] = Dim();
        continue;
      }
      OREE_TRY_ASSIGN(out[axes[i]], scaled(in, (*x)[axes[i]], (*scales)[i]));
    }
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if ((*x)[i].known() && (*x)[i].size == 0 && out[i].known() && out[i].size > 0)
      return in.fail(fmt::format("{} elements are made of none", out[i].size));
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_grid_sample(Inference& in) {
  std::optional<Dims> x = in.dims(0), grid = in.dims(1), out;
  if (x) OREE_TRY(want_rank(in, 1, x->size()));
  OREE_TRY(want_rank_min(in, 0, 3));
  if (x && grid) {
    OREE_TRY(same_dim(in, grid->back(), Dim(static_cast<int64_t>(x->size() - 2)), "coordinates of the grid"));
    OREE_TRY_ASSIGN(Dim batch, same_dim(in, (*x)[0], (*grid)[0], "batches differ"));
    out = Dims{batch, (*x)[1]};
    out->insert(out->end(), grid->begin() + 1, grid->end() - 1);
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

// size [N, C, spatial...] -> grid [N, spatial..., coordinates]
Status infer_affine_grid(Inference& in) {
  OREE_TRY(want_rank(in, 0, 3));
  OREE_TRY_ASSIGN(std::optional<Dims> size, dims_from(in, 1));
  if (size) {
    if (size->size() != 4 && size->size() != 5) return in.fail(fmt::format("a size of {} dimensions", size->size()));
    size->erase(size->begin() + 1);
    size->emplace_back(static_cast<int64_t>(size->size()) - 1);
  }
  in.set(0, in.dtype(0), std::move(size));
  return {};
}

Result<int64_t> block_size(const Inference& in) {
  int64_t n = in.node().integer("blocksize", 0);
  if (n < 1 || n > 1 << 15) return in.fail(fmt::format("blocksize {}", n));
  return n;
}

Status infer_depth_to_space(Inference& in) {
  OREE_TRY(want_rank(in, 0, 4));
  OREE_TRY_ASSIGN(int64_t n, block_size(in));
  std::optional<Dims> x = in.dims(0);
  if (x) {
    if ((*x)[1].known() && (*x)[1].size % (n * n) != 0)
      return in.fail(fmt::format("{} channels do not divide into blocks of {}", (*x)[1].size, n));
    (*x)[1] = (*x)[1].known() ? Dim((*x)[1].size / (n * n)) : Dim();
    for (size_t i : {2, 3}) (*x)[i] = (*x)[i].known() ? Dim((*x)[i].size * n) : Dim();
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

Status infer_space_to_depth(Inference& in) {
  OREE_TRY(want_rank(in, 0, 4));
  OREE_TRY_ASSIGN(int64_t n, block_size(in));
  std::optional<Dims> x = in.dims(0);
  if (x) {
    (*x)[1] = (*x)[1].known() ? Dim((*x)[1].size * n * n) : Dim();
    for (size_t i : {2, 3}) {
      if ((*x)[i].known() && (*x)[i].size % n != 0)
        return in.fail(fmt::format("a dimension of {} does not divide into blocks of {}", (*x)[i].size, n));
      (*x)[i] = (*x)[i].known() ? Dim((*x)[i].size / n) : Dim();
    }
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

// columns [N, C * block, positions] -> image [N, C, image...]
Status infer_col2im(Inference& in) {
  OREE_TRY(want_rank(in, 0, 3));
  OREE_TRY_ASSIGN(std::optional<Dims> image, dims_from(in, 1));
  OREE_TRY_ASSIGN(std::optional<Dims> block, dims_from(in, 2));
  std::optional<Dims> x = in.dims(0);
  if (image) {
    if (image->empty() || (block && block->size() != image->size()))
      return in.fail("image_shape and block_shape differ");
    Dim size = block ? product(*block) : Dim(), channels;
    if (x && (*x)[1].known() && size.known()) {
      if (size.size == 0 || (*x)[1].size % size.size != 0)
        return in.fail(fmt::format("{} rows do not divide into blocks of {}", (*x)[1].size, size.size));
      channels = (*x)[1].size / size.size;
    }
    image->insert(image->begin(), {x ? (*x)[0] : Dim(), channels});
  }
  in.set(0, in.dtype(0), std::move(image));
  return {};
}

Status infer_center_crop_pad(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  OREE_TRY_ASSIGN(std::optional<Dims> shape, dims_from(in, 1));
  if (x) {
    OREE_TRY_ASSIGN(std::vector<size_t> axes, resize_axes(in, x->size()));
    if (shape && shape->size() != axes.size())
      return in.fail(fmt::format("a shape of {} for {} axes", shape->size(), axes.size()));
    for (size_t i = 0; i < axes.size(); ++i) (*x)[axes[i]] = shape ? (*shape)[i] : Dim();
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

Result<Dim> regions(const Inference& in, size_t input, size_t columns) {
  OREE_TRY(want_rank(in, input, 2));
  std::optional<Dims> rois = in.dims(input);
  if (!rois) return Dim();
  OREE_TRY(same_dim(in, (*rois)[1], Dim(static_cast<int64_t>(columns)), "columns of the regions"));
  return (*rois)[0];
}

Status infer_roi_align(Inference& in) {
  OREE_TRY(want_rank(in, 0, 4));
  OREE_TRY_ASSIGN(Dim n, regions(in, 1, 4));
  int64_t height = in.node().integer("output_height", 1), width = in.node().integer("output_width", 1);
  if (height < 1 || width < 1) return in.fail(fmt::format("an output of {} x {}", height, width));
  in.set(0, in.dtype(0), Dims{n, in.dims(0) ? (*in.dims(0))[1] : Dim(), Dim(height), Dim(width)});
  return {};
}

Status infer_max_roi_pool(Inference& in) {
  OREE_TRY(want_rank(in, 0, 4));
  OREE_TRY_ASSIGN(Dim n, regions(in, 1, 5));
  std::vector<int64_t> shape = in.node().integers("pooled_shape");
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1) return in.fail("pooled_shape must be two numbers above 0");
  in.set(0, in.dtype(0), Dims{n, in.dims(0) ? (*in.dims(0))[1] : Dim(), Dim(shape[0]), Dim(shape[1])});
  return {};
}

constexpr AttributeDef kAffineGrid[] = {{"align_corners", kInt}};
constexpr AttributeDef kAxes[] = {{"axes", kInts}};
constexpr AttributeDef kCol2Im[] = {{"dilations", kInts}, {"pads", kInts}, {"strides", kInts}};
constexpr AttributeDef kBlocks[] = {{"blocksize", kInt, true}, {"mode", kText}};
constexpr AttributeDef kGridSample[] = {{"align_corners", kInt}, {"mode", kText}, {"padding_mode", kText}};
constexpr AttributeDef kMaxRoiPool[] = {{"pooled_shape", kInts, true}, {"spatial_scale", kFloat}};
constexpr AttributeDef kResize[] = {{"antialias", kInt},
                                    {"axes", kInts},
                                    {"coordinate_transformation_mode", kText},
                                    {"cubic_coeff_a", kFloat},
                                    {"exclude_outside", kInt},
                                    {"extrapolation_value", kFloat},
                                    {"keep_aspect_ratio_policy", kText},
                                    {"mode", kText},
                                    {"nearest_mode", kText}};
constexpr AttributeDef kRoiAlign[] = {{"coordinate_transformation_mode", kText},
                                      {"mode", kText},
                                      {"output_height", kInt},
                                      {"output_width", kInt},
                                      {"sampling_ratio", kInt},
                                      {"spatial_scale", kFloat}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"AffineGrid", 2, 2, 1, 1, kNoTraits, kAffineGrid, infer_affine_grid},
    {"CenterCropPad", 2, 2, 1, 1, kNoTraits, kAxes, infer_center_crop_pad},
    {"Col2Im", 3, 3, 1, 1, kNoTraits, kCol2Im, infer_col2im},
    {"DepthToSpace", 1, 1, 1, 1, kMoves, kBlocks, infer_depth_to_space},
    {"GridSample", 2, 2, 1, 1, kNoTraits, kGridSample, infer_grid_sample},
    {"MaxRoiPool", 2, 2, 1, 1, kNoTraits, kMaxRoiPool, infer_max_roi_pool},
    {"Resize", 1, 4, 1, 1, kNoTraits, kResize, infer_resize},
    {"RoiAlign", 3, 3, 1, 1, kNoTraits, kRoiAlign, infer_roi_align},
    {"SpaceToDepth", 1, 1, 1, 1, kMoves, kBlocks, infer_space_to_depth},
};

}  // namespace

std::span<const OpDef> image_ops() { return kOps; }

}  // namespace oree
