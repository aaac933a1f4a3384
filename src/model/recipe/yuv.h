// SPDX-License-Identifier: Apache-2.0
// Y'CbCr to R'G'B' (ITU-R BT.601 and BT.709, 8 bits). Inner header of model/recipe.
#pragma once

#include <cstdint>

#include "model/recipe/image.h"

namespace oree {

// Fixed point with 16 fractional bits, one row of pixels at a time. The
// samples of cb and of cr lie `chroma_stride` bytes apart: 1 in planes of their own, 2 in interleaved pairs.
class YuvMatrix {
 public:
  YuvMatrix(bool bt709, bool full_range);
  // `halved`: two pixels share a chroma sample. Writes width*3 bytes in B, G, R order, or R, G, B.
  void convert_row(const uint8_t* luma, const uint8_t* cb, const uint8_t* cr, int chroma_stride, bool halved, int width,
                   bool rgb, uint8_t* out) const;
  // Luma alone, spread to 0..255.
  uint8_t gray(uint8_t luma) const;

 private:
  int luma_offset_;
  int32_t luma_gain_, red_cr_, green_cb_, green_cr_, blue_cb_;
};

}  // namespace oree
