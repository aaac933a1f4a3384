// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

// An 8-bit picture, rows without padding, channels interleaved.
struct Image {
  enum class Order { kRgb, kBgr, kGray };
  int width = 0;
  int height = 0;
  Order order = Order::kRgb;
  Bytes pixels;  // height * width * channels
  int channels() const { return order == Order::kGray ? 1 : 3; }
};

// A picture that somebody else owns (a video frame): rows may be padded.
struct ImageView {
  const uint8_t* pixels = nullptr;
  int width = 0;
  int height = 0;
  int64_t stride = 0;  // bytes from row to row
  Image::Order order = Image::Order::kRgb;
};
ImageView view_of(const Image& image);

// A decoded video frame as decoders give it, 4:2:0 with 8 bits: a full-size luma plane, and chroma planes of half the
// width and height, rounded up. Kept that way, only the small picture that the model sees must be converted.
struct YuvView {
  const uint8_t* luma = nullptr;
  int64_t luma_stride = 0;
  const uint8_t* cb = nullptr;  // I420: the Cb plane; NV12: the plane of Cb, Cr pairs
  const uint8_t* cr = nullptr;  // I420: the Cr plane; NV12: nullptr
  int64_t chroma_stride = 0;    // bytes from row to row, of either chroma plane
  int width = 0;
  int height = 0;
  bool bt709 = false;       // matrix of high-definition video, else BT.601
  bool full_range = false;  // luma 0..255 (JPEG cameras), else 16..235
};
// The whole frame as BGR, for a snapshot. kInvalid when it has no size.
Result<Image> yuv_to_image(const YuvView& frame);

Result<Image> decode_image(ByteView file);                       // JPEG, PNG, BMP, WebP; kInvalid names what was found
Result<Bytes> encode_jpeg(const ImageView& image, int quality);  // quality 1..100
Result<Bytes> encode_png(const ImageView& image);

}  // namespace oree
