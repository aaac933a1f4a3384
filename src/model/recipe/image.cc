// SPDX-License-Identifier: Apache-2.0
#include "model/recipe/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "core/base/limits.h"
#include "model/recipe/image_header.h"

namespace oree {
namespace {

// OpenCV wants BGR; the view's own memory is used when it has that order.
cv::Mat to_bgr_or_gray(const ImageView& image) {
  int type = image.order == Image::Order::kGray ? CV_8UC1 : CV_8UC3;
  // The encoder only reads.
  cv::Mat view(image.height, image.width, type, const_cast<uint8_t*>(image.pixels), static_cast<size_t>(image.stride));
  if (image.order != Image::Order::kRgb) return view;
  cv::Mat bgr;
  cv::cvtColor(view, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

Result<Bytes> encode(const char* extension, const ImageView& image, const std::vector<int>& options) {
  if (image.pixels == nullptr || image.width <= 0 || image.height <= 0)
    return Error(Code::kInvalid, "image: nothing to encode");
  try {
    Bytes out;
    if (!cv::imencode(extension, to_bgr_or_gray(image), out, options)) {
      return Error(Code::kInternal,
                   fmt::format("image: cannot encode {}x{} as {}", image.width, image.height, extension));
    }
    return out;
  } catch (const cv::Exception& e) {
    return Error(Code::kInternal, fmt::format("image: cannot encode: {}", e.err));
  }
}

}  // namespace

ImageView view_of(const Image& image) {
  return {image.pixels.data(), image.width, image.height, int64_t{image.width} * image.channels(), image.order};
}

Result<Image> decode_image(ByteView file) {
  OREE_TRY_ASSIGN(ImageHeader header, read_image_header(file));
  if (header.width < 1 || header.height < 1 || header.width > kImagePixelsMax / header.height) {
    return Error(Code::kInvalid, fmt::format("image: {} of {}x{} pixels; at most {} pixels are taken", header.format,
                                             header.width, header.height, kImagePixelsMax));
  }
  if (file.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    return Error(Code::kInvalid, "image: the file is too large");
  try {
    cv::Mat raw(1, static_cast<int>(file.size()), CV_8UC1, const_cast<uint8_t*>(file.data()));
    cv::Mat bgr = cv::imdecode(raw, cv::IMREAD_COLOR);
    if (bgr.empty() || bgr.type() != CV_8UC3)
      return Error(Code::kInvalid, fmt::format("image: the {} file is damaged", header.format));
    Image image{bgr.cols, bgr.rows, Image::Order::kBgr, {}};
    image.pixels.assign(bgr.datastart, bgr.dataend);
    OREE_ASSERT(image.pixels.size() == bgr.total() * 3);
    return image;
  } catch (const cv::Exception& e) {
    return Error(Code::kInvalid, fmt::format("image: the {} file is damaged: {}", header.format, e.err));
  }
}

Result<Bytes> encode_jpeg(const ImageView& image, int quality) {
  return encode(".jpg", image, {cv::IMWRITE_JPEG_QUALITY, std::clamp(quality, 1, 100)});
}

Result<Bytes> encode_png(const ImageView& image) { return encode(".png", image, {}); }

}  // namespace oree
