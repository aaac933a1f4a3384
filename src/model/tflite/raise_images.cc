// SPDX-License-Identifier: Apache-2.0
// Operators over images, NHWC in TFLite.
#include <fmt/format.h>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Attributes grid(const Raise& r, const char* mode) {
  Attributes out{{"mode", std::string(mode)}, {"axes", Ints{2, 3}}};
  const char* points = r.flag("align_corners")        ? "align_corners"
                       : r.flag("half_pixel_centers") ? "half_pixel"
                                                      : "asymmetric";
  out.emplace("coordinate_transformation_mode", std::string(points));
  return out;
}

void resize(Raise& r, Attributes attributes) {
  r.finish_channels_first("Resize", {r.channels_first(r.in(0)), kNoValue, kNoValue, r.as_int64(r.in(1))},
                          std::move(attributes));
}

Status resize_bilinear(Raise& r) {
  OREE_TRY(r.want(2));
  resize(r, grid(r, "linear"));
  return {};
}

// TFLite takes the element at floor(x) of the pixel's centre, or at round(x) between aligned corners. In ONNX's terms,
// where a centre lies half a pixel behind its coordinate, both are the nearest with halves rounded up.
Status resize_nearest(Raise& r) {
  OREE_TRY(r.want(2));
  Attributes attributes = grid(r, "nearest");
  bool rounds = r.flag("align_corners") || r.flag("half_pixel_centers");
  attributes.emplace("nearest_mode", std::string(rounds ? "round_prefer_ceil" : "floor"));
  if (r.flag("align_corners") && r.flag("half_pixel_centers")) return r.unsupported("aligned corners of centres");
  resize(r, std::move(attributes));
  return {};
}

Status blocks(Raise& r, const char* op) {
  OREE_TRY(r.want(1));
  int64_t size = r.option("block_size");
  if (size < 1) return r.invalid(fmt::format("a block of {}", size));
  r.finish_channels_first(op, {r.channels_first(r.in(0))}, {{"blocksize", size}});
  return {};
}
Status space_to_depth(Raise& r) { return blocks(r, "SpaceToDepth"); }
Status depth_to_space(Raise& r) { return blocks(r, "DepthToSpace"); }

// Over 2 radius + 1 channels. ONNX divides alpha by their number.
Status local_response_normalization(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  int64_t radius = r.option("radius");
  if (radius < 0 || radius > 1 << 20) return r.invalid(fmt::format("a radius of {}", radius));
  int64_t size = 2 * radius + 1;
  r.finish_channels_first("LRN", {r.channels_first(r.in(0))},
                          {{"size", size},
                           {"alpha", r.real_option("alpha") * static_cast<float>(size)},
                           {"beta", r.real_option("beta")},
                           {"bias", r.real_option("bias")}});
  return {};
}

constexpr RaiseEntry kEntries[] = {
    {"RESIZE_BILINEAR", resize_bilinear},
    {"RESIZE_NEAREST_NEIGHBOR", resize_nearest},
    {"SPACE_TO_DEPTH", space_to_depth},
    {"DEPTH_TO_SPACE", depth_to_space},
    {"LOCAL_RESPONSE_NORMALIZATION", local_response_normalization},
};

}  // namespace

std::span<const RaiseEntry> raise_images() { return kEntries; }

}  // namespace oree
