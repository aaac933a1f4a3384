// SPDX-License-Identifier: Apache-2.0
// Resizes the 8-bit picture first, then one pass through a table of 256 entries a channel does scale, mean, std,
// quantization, channel order and layout: exact, and independent of the size of the picture.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>
#include <type_traits>

#include "core/base/limits.h"
#include "model/recipe/detect.h"
#include "model/recipe/yuv.h"

namespace oree {
namespace {

struct Geometry {
  cv::Rect from;  // of the picture
  cv::Rect to;    // of the model's input
  Placement placement;
};

Geometry lay_out(const ImageRecipe& r, int width, int height) {
  Geometry g;
  g.from = {0, 0, width, height};
  g.to = {0, 0, r.width, r.height};
  double sx = static_cast<double>(r.width) / width, sy = static_cast<double>(r.height) / height;
  if (r.resize == "letterbox") {
    double s = std::min(sx, sy);
    g.to.width = std::clamp(static_cast<int>(std::lround(width * s)), 1, r.width);
    g.to.height = std::clamp(static_cast<int>(std::lround(height * s)), 1, r.height);
    g.to.x = (r.width - g.to.width) / 2;
    g.to.y = (r.height - g.to.height) / 2;
  } else if (r.resize == "crop") {
    double s = std::max(sx, sy);
    g.from.width = std::clamp(static_cast<int>(std::lround(r.width / s)), 1, width);
    g.from.height = std::clamp(static_cast<int>(std::lround(r.height / s)), 1, height);
    g.from.x = (width - g.from.width) / 2;
    g.from.y = (height - g.from.height) / 2;
  }
  Placement& p = g.placement;
  p.scale_x = static_cast<double>(g.to.width) / g.from.width;
  p.scale_y = static_cast<double>(g.to.height) / g.from.height;
  p.offset_x = g.to.x - g.from.x * p.scale_x;
  p.offset_y = g.to.y - g.from.y * p.scale_y;
  p.image_width = width;
  p.image_height = height;
  return g;
}

int interpolation_of(const ImageRecipe& r) {
  if (r.interpolation == "area") return cv::INTER_AREA;
  return r.interpolation == "nearest" ? cv::INTER_NEAREST : cv::INTER_LINEAR;
}

cv::Mat resized(const cv::Mat& from, cv::Size size, int interpolation) {
  if (from.size() == size) return from;
  cv::Mat to;
  cv::resize(from, to, size, 0, 0, interpolation);
  return to;
}

int channels_of(const ImageRecipe& r) { return r.color == "gray" ? 1 : 3; }

// What each of the 256 values becomes in channel c.
template <typename T>
std::array<T, 256> value_table(const ImageRecipe& r, size_t c) {
  std::array<T, 256> table;
  for (size_t x = 0; x < 256; ++x) {
    double v = (static_cast<double>(x) * r.scale - r.mean[c]) / r.std[c];
    if constexpr (std::is_same_v<T, float>) {
      table[x] = static_cast<float>(v);
    } else {
      double q = std::round(v / r.quant_scale) + r.zero_point;
      table[x] = static_cast<T>(std::clamp(q, static_cast<double>(std::numeric_limits<T>::min()),
                                           static_cast<double>(std::numeric_limits<T>::max())));
    }
  }
  return table;
}

// `small` has the model's channels in the model's order; bars hold grey 114.
template <typename T>
void fill(const ImageRecipe& r, const cv::Mat& small, const cv::Rect& to, Tensor& input) {
  auto channels = static_cast<size_t>(channels_of(r));
  std::array<std::array<T, 256>, 3> table;
  for (size_t c = 0; c < channels; ++c) table[c] = value_table<T>(r, c);
  auto width = static_cast<size_t>(r.width), height = static_cast<size_t>(r.height);
  bool nchw = r.layout == "nchw";
  size_t pixel_step = nchw ? 1 : channels, channel_step = nchw ? width * height : 1;
  T* out = reinterpret_cast<T*>(input.data());
  if (to.width != r.width || to.height != r.height) {
    for (size_t c = 0; c < channels; ++c) {
      for (size_t i = 0; i < width * height; ++i) out[i * pixel_step + c * channel_step] = table[c][114];
    }
  }
  auto columns = static_cast<size_t>(to.width);
  for (int y = 0; y < to.height; ++y) {
    const uint8_t* row = small.ptr<uint8_t>(y);
    T* line = out + (static_cast<size_t>(to.y + y) * width + static_cast<size_t>(to.x)) * pixel_step;
    if (channels == 1) {
      for (size_t x = 0; x < columns; ++x) line[x] = table[0][row[x]];
    } else {
      for (size_t x = 0; x < columns; ++x) {
        line[x * pixel_step] = table[0][row[3 * x]];
        line[x * pixel_step + channel_step] = table[1][row[3 * x + 1]];
        line[x * pixel_step + 2 * channel_step] = table[2][row[3 * x + 2]];
      }
    }
  }
}

Dtype dtype_of(const ImageRecipe& r) {
  if (r.dtype == "uint8") return Dtype::kUint8;
  return r.dtype == "int8" ? Dtype::kInt8 : Dtype::kFloat32;
}
Shape shape_of(const ImageRecipe& r) {
  if (r.layout == "nchw") return {1, channels_of(r), r.height, r.width};
  return {1, r.height, r.width, channels_of(r)};
}

void fill(const ImageRecipe& r, const cv::Mat& small, const cv::Rect& to, Tensor& input) {
  if (r.dtype == "uint8") return fill<uint8_t>(r, small, to, input);
  if (r.dtype == "int8") return fill<int8_t>(r, small, to, input);
  fill<float>(r, small, to, input);
}

Status check(const ImageRecipe& r, int width, int height, bool pixels, const Tensor& input) {
  if (!pixels || width < 1 || height < 1 || width > kImagePixelsMax / height) {
    return Error(Code::kInvalid, fmt::format("preprocess: a picture of {}x{} pixels", width, height));
  }
  if (input.dtype() != dtype_of(r) || input.shape() != shape_of(r)) {
    return Error(Code::kInvalid,
                 fmt::format("preprocess: the recipe makes {} {}, the model's input is {} {}", r.dtype,
                             shape_text(shape_of(r)), dtype_name(input.dtype()), shape_text(input.shape())));
  }
  return {};
}

cv::Mat in_order(const cv::Mat& small, Image::Order order, const ImageRecipe& r) {
  bool gray = order == Image::Order::kGray, rgb = order == Image::Order::kRgb;
  if (r.color == "gray") {
    if (gray) return small;
    cv::Mat out;
    cv::cvtColor(small, out, rgb ? cv::COLOR_RGB2GRAY : cv::COLOR_BGR2GRAY);
    return out;
  }
  if (!gray && rgb == (r.color == "rgb")) return small;
  cv::Mat out;
  cv::cvtColor(small, out, gray ? cv::COLOR_GRAY2BGR : cv::COLOR_RGB2BGR);
  return out;
}

// One plane of the frame, cut to the region and resized.
cv::Mat plane(const uint8_t* data, int64_t stride, int type, const cv::Rect& full, const cv::Rect& from, cv::Size size,
              int interpolation) {
  cv::Mat whole(full.height, full.width, type, const_cast<uint8_t*>(data), static_cast<size_t>(stride));
  return resized(whole(from), size, interpolation);
}

cv::Rect halved(const cv::Rect& r, const cv::Rect& full) {
  cv::Rect half{r.x / 2, r.y / 2, (r.width + 1) / 2, (r.height + 1) / 2};
  return half & full;
}

}  // namespace

Tensor make_input(const ImageRecipe& recipe) { return Tensor(dtype_of(recipe), shape_of(recipe)); }

Result<Placement> preprocess(const ImageRecipe& recipe, const ImageView& image, Tensor& input) {
  OREE_TRY(check(recipe, image.width, image.height, image.pixels != nullptr, input));
  Geometry g = lay_out(recipe, image.width, image.height);
  try {
    int type = image.order == Image::Order::kGray ? CV_8UC1 : CV_8UC3;
    cv::Mat small = plane(image.pixels, image.stride, type, {0, 0, image.width, image.height}, g.from, g.to.size(),
                          interpolation_of(recipe));
    fill(recipe, in_order(small, image.order, recipe), g.to, input);
  } catch (const cv::Exception& e) {
    return Error(Code::kInternal, fmt::format("preprocess: {}", e.err));
  }
  return g.placement;
}

Result<Placement> preprocess(const ImageRecipe& recipe, const YuvView& frame, Tensor& input) {
  OREE_TRY(check(recipe, frame.width, frame.height, frame.luma != nullptr && frame.cb != nullptr, input));
  Geometry g = lay_out(recipe, frame.width, frame.height);
  cv::Rect full{0, 0, frame.width, frame.height};
  cv::Rect chroma_full{0, 0, (frame.width + 1) / 2, (frame.height + 1) / 2};
  cv::Rect chroma_from = halved(g.from, chroma_full);
  int interpolation = interpolation_of(recipe);
  YuvMatrix matrix(frame.bt709, frame.full_range);
  try {
    cv::Mat luma = plane(frame.luma, frame.luma_stride, CV_8UC1, full, g.from, g.to.size(), interpolation);
    cv::Mat small(g.to.size(), recipe.color == "gray" ? CV_8UC1 : CV_8UC3);
    if (recipe.color == "gray") {
      for (int y = 0; y < small.rows; ++y) {
        std::transform(luma.ptr(y), luma.ptr(y) + small.cols, small.ptr(y), [&](uint8_t v) { return matrix.gray(v); });
      }
    } else {
      bool pairs = frame.cr == nullptr;
      cv::Mat cb = plane(frame.cb, frame.chroma_stride, pairs ? CV_8UC2 : CV_8UC1, chroma_full, chroma_from,
                         g.to.size(), interpolation);
      cv::Mat cr =
          pairs ? cb
                : plane(frame.cr, frame.chroma_stride, CV_8UC1, chroma_full, chroma_from, g.to.size(), interpolation);
      for (int y = 0; y < small.rows; ++y) {
        matrix.convert_row(luma.ptr(y), cb.ptr(y), pairs ? cr.ptr(y) + 1 : cr.ptr(y), pairs ? 2 : 1, false, small.cols,
                           recipe.color == "rgb", small.ptr(y));
      }
    }
    fill(recipe, small, g.to, input);
  } catch (const cv::Exception& e) {
    return Error(Code::kInternal, fmt::format("preprocess: {}", e.err));
  }
  return g.placement;
}

Result<Image> yuv_to_image(const YuvView& frame) {
  if (frame.luma == nullptr || frame.cb == nullptr || frame.width < 1 || frame.height < 1 ||
      frame.width > kImagePixelsMax / frame.height) {
    return Error(Code::kInvalid, fmt::format("a video frame of {}x{} pixels", frame.width, frame.height));
  }
  Image image{frame.width, frame.height, Image::Order::kBgr, {}};
  auto row_bytes = static_cast<size_t>(frame.width) * 3;
  image.pixels.resize(row_bytes * static_cast<size_t>(frame.height));
  YuvMatrix matrix(frame.bt709, frame.full_range);
  bool pairs = frame.cr == nullptr;
  for (int y = 0; y < frame.height; ++y) {
    const uint8_t* cb = frame.cb + (y / 2) * frame.chroma_stride;
    const uint8_t* cr = pairs ? cb + 1 : frame.cr + (y / 2) * frame.chroma_stride;
    matrix.convert_row(frame.luma + y * frame.luma_stride, cb, cr, pairs ? 2 : 1, true, frame.width, false,
                       image.pixels.data() + static_cast<size_t>(y) * row_bytes);
  }
  return image;
}

}  // namespace oree
