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

Result<Image> decode_image(ByteView file);                 // JPEG, PNG, BMP, WebP; kInvalid names what was found
Result<Bytes> encode_jpeg(const ImageView& image, int quality);  // quality 1..100
Result<Bytes> encode_png(const ImageView& image);

}  // namespace oree
