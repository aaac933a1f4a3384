// SPDX-License-Identifier: Apache-2.0
#include "core/codec/wav.h"

#include <algorithm>

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteSource source = source_of(ByteView(data, size));
  Result<WavInfo> info = read_wav_info(source);
  if (!info.ok()) return 0;
  OREE_ASSERT(info->frames >= 0 && info->frames <= static_cast<int64_t>(size));
  Result<std::vector<float>> all = read_wav(source, *info, 0, info->frames);
  OREE_ASSERT(all.ok() && static_cast<int64_t>(all->size()) == info->frames);
  Result<std::vector<float>> rest = read_wav(source, *info, info->frames / 2, info->frames - info->frames / 2);
  OREE_ASSERT(rest.ok() && static_cast<int64_t>(rest->size()) == info->frames - info->frames / 2);
  return 0;
}
