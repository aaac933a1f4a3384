// SPDX-License-Identifier: Apache-2.0
// WAV files (RIFF): PCM of 8, 16, 24 and 32 bits and 32-bit floats, read a range at a time. Bounded by what is asked
// for.
#pragma once

#include <vector>

#include "core/codec/read_at.h"

namespace oree {

struct WavInfo {
  int channels = 0;
  int64_t sample_rate = 0;  // frames a second, as the file says
  int bits = 0;             // of one channel's sample
  bool is_float = false;
  int64_t data_offset = 0;
  int64_t frames = 0;  // one sample of each channel
};

inline constexpr int kWavChannelsMax = 64;

// kInvalid: no WAV, or cut; kUnsupported: another coding.
Result<WavInfo> read_wav_info(const ByteSource& file);
// Frames first to first + count, each the mean of its channels: -1..1 of integers, floats as they are. Asserts on the
// range.
Result<std::vector<float>> read_wav(const ByteSource& file, const WavInfo& info, int64_t first, int64_t count);

}  // namespace oree
