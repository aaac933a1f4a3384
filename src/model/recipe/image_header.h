// SPDX-License-Identifier: Apache-2.0
// The size that a picture file claims, read before a decoder allocates for it. Inner header of model/recipe.
#pragma once

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

struct ImageHeader {
  const char* format = "";  // "JPEG", "PNG", "BMP", "WebP"
  int64_t width = 0, height = 0;
};
// kInvalid: none of the four, cut off before the size, or cut off at the end where the format can tell.
Result<ImageHeader> read_image_header(ByteView file);

}  // namespace oree
