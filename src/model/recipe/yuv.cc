// SPDX-License-Identifier: Apache-2.0
#include "model/recipe/yuv.h"

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

constexpr int kBits = 16;
int32_t fixed(double v) { return static_cast<int32_t>(std::lround(v * (1 << kBits))); }
uint8_t byte(int32_t v) { return static_cast<uint8_t>(std::clamp(v >> kBits, 0, 255)); }

}  // namespace

YuvMatrix::YuvMatrix(bool bt709, bool full_range) {
  // Luma weights of red and blue, from which all the rest follows.
  double red = bt709 ? 0.2126 : 0.299, blue = bt709 ? 0.0722 : 0.114, green = 1 - red - blue;
  double luma_gain = full_range ? 1 : 255.0 / 219, chroma_gain = full_range ? 1 : 255.0 / 224;
  luma_offset_ = full_range ? 0 : 16;
  luma_gain_ = fixed(luma_gain);
  red_cr_ = fixed(2 * (1 - red) * chroma_gain);
  blue_cb_ = fixed(2 * (1 - blue) * chroma_gain);
  green_cb_ = fixed(-2 * (1 - blue) * blue / green * chroma_gain);
  green_cr_ = fixed(-2 * (1 - red) * red / green * chroma_gain);
}

uint8_t YuvMatrix::gray(uint8_t luma) const { return byte(luma_gain_ * (luma - luma_offset_) + (1 << (kBits - 1))); }

void YuvMatrix::convert_row(const uint8_t* luma, const uint8_t* cb, const uint8_t* cr, int chroma_stride, bool halved,
                            int width, bool rgb, uint8_t* out) const {
  int red_at = rgb ? 0 : 2;
  for (int x = 0; x < width; ++x) {
    int c = (halved ? x / 2 : x) * chroma_stride;
    int32_t y = luma_gain_ * (luma[x] - luma_offset_) + (1 << (kBits - 1));
    int32_t u = cb[c] - 128, v = cr[c] - 128;
    out[red_at] = byte(y + red_cr_ * v);
    out[1] = byte(y + green_cb_ * u + green_cr_ * v);
    out[2 - red_at] = byte(y + blue_cb_ * u);
    out += 3;
  }
}

}  // namespace oree
