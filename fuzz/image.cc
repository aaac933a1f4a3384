// SPDX-License-Identifier: Apache-2.0
// Pictures: a refusal or a picture of the size that it says, never more pixels than the limit.
#include <cstdlib>

#include "core/base/limits.h"
#include "model/recipe/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace oree;
  auto image = decode_image({data, size});
  if (!image.ok()) return 0;
  if (image->width < 1 || image->height < 1 || int64_t{image->width} * image->height > kImagePixelsMax) std::abort();
  if (image->pixels.size() !=
      static_cast<size_t>(image->width) * static_cast<size_t>(image->height * image->channels()))
    std::abort();
  return 0;
}
