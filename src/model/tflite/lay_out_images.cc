// SPDX-License-Identifier: Apache-2.0
// Resize, blocks of depth and response normalisation in TFLite's layout.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/tflite/lower_window.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

ValueId emit_channels_last(Lower& r, std::string_view op, std::vector<ValueId> inputs, Attributes options) {
  return r.emit(op, std::move(inputs), std::move(options), *r.dtype(r.out()), channels_last(*r.dims(r.out())), r.out());
}

Result<bool> blocks(Lower& r, std::string_view op) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "ficCl"));
  if (!r.dims(r.out()) || r.dims(r.out())->size() != 4) return r.unsupported("the rank of its output is not known");
  ValueId x = r.permute(r.in(0), {0, 2, 3, 1});
  ValueId y = emit_channels_last(r, op, {x}, {{"block_size", r.integer("blocksize", 1)}});
  r.finish("Transpose", {y}, {{"perm", Ints{0, 3, 1, 2}}});
  return true;
}

Result<bool> space_to_depth(Lower& r) { return blocks(r, "SPACE_TO_DEPTH"); }
Result<bool> depth_to_space(Lower& r) { return blocks(r, "DEPTH_TO_SPACE"); }  // the order CRD was composed

Result<bool> lrn(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "f"));
  int64_t size = r.integer("size", 1);
  if (size % 2 == 0) return r.unsupported(fmt::format("a size of {}, which has no middle", size));
  if (!r.dims(r.out()) || r.dims(r.out())->size() != 4) return r.unsupported("an input that is no image");
  ValueId x = r.permute(r.in(0), {0, 2, 3, 1});
  ValueId y = emit_channels_last(r, "LOCAL_RESPONSE_NORMALIZATION", {x},
                                 {{"radius", (size - 1) / 2},
                                  {"bias", r.real("bias", 1)},
                                  {"alpha", r.real("alpha", 0.0001F) / static_cast<float>(size)},
                                  {"beta", r.real("beta", 0.75F)}});
  r.finish("Transpose", {y}, {{"perm", Ints{0, 3, 1, 2}}});
  return true;
}

// What compose left over: two spatial axes, a form that TFLite has.
Result<bool> resize(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "fcCs"));
  if (!r.dims(r.out()) || r.dims(r.out())->size() != 4) return r.unsupported("an input that is no image");
  const Dims out = *r.dims(r.out());
  bool linear = r.text("mode", "nearest") == "linear";
  std::string points = r.text("coordinate_transformation_mode", "half_pixel");
  Attributes options;
  if (points == "align_corners") options.emplace("align_corners", int64_t{1});
  if (points == "half_pixel") options.emplace("half_pixel_centers", int64_t{1});
  if (!out[2].known() || !out[3].known()) return r.unsupported("the size of its output is not known");
  ValueId x = r.permute(r.in(0), {0, 2, 3, 1}), size = r.int32s({out[2].size, out[3].size});
  ValueId y =
      emit_channels_last(r, linear ? "RESIZE_BILINEAR" : "RESIZE_NEAREST_NEIGHBOR", {x, size}, std::move(options));
  r.finish("Transpose", {y}, {{"perm", Ints{0, 3, 1, 2}}});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
    {"LRN", lrn},
    {"Resize", resize},
};

}  // namespace

std::span<const LowerEntry> lay_out_images() { return kEntries; }

}  // namespace oree
