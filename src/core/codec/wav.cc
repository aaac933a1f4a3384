// SPDX-License-Identifier: Apache-2.0
// Layout: "RIFF" size "WAVE", then chunks: a name, a size, content padded to an even length. "fmt " comes before
// "data".
#include "core/codec/wav.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "core/codec/little_endian.h"

namespace oree {
namespace {

constexpr int kPcm = 1, kFloat = 3, kExtensible = 0xfffe;
constexpr int kChunksMax = 1024;
constexpr int64_t kPieceFrames = 16384;        // decoded at a time
constexpr uint32_t kUnknownSize = 0xffffffff;  // written by who could not go back: to the file's end

Error bad(std::string_view what) { return Error(Code::kInvalid, fmt::format("wav: {}", what)); }

Result<WavInfo> parse_format(ByteView chunk) {
  LittleEndianReader r(chunk);
  int coding = r.u16();
  WavInfo info;
  info.channels = r.u16();
  info.sample_rate = r.u32();
  r.skip(4);
  int frame_bytes = r.u16();
  info.bits = r.u16();
  if (r.bad()) return bad("format chunk is cut");
  if (coding == kExtensible) {
    r.skip(8);
    coding = r.u16();
    if (r.bad()) return bad("format chunk is cut");
  }
  info.is_float = coding == kFloat;
  bool known = coding == kPcm ? info.bits == 8 || info.bits == 16 || info.bits == 24 || info.bits == 32
                              : info.is_float && info.bits == 32;
  if (!known) {
    return Error(Code::kUnsupported,
                 fmt::format("wav: coding {} of {} bits; expected PCM of 8, 16, 24 or 32, or floats "
                             "of 32",
                             coding, info.bits));
  }
  if (info.channels < 1 || info.channels > kWavChannelsMax) return bad(fmt::format("{} channels", info.channels));
  if (frame_bytes != info.channels * info.bits / 8) return bad("frame size contradicts channels and bits");
  return info;
}

float decode(const uint8_t* p, const WavInfo& info) {
  auto u = [&](int i) { return static_cast<uint32_t>(p[i]); };
  // Integers are put into the high bits of 32, so that one scale serves them all.
  switch (info.bits) {
    case 8: return (static_cast<float>(p[0]) - 128) / 128;
    case 16: return static_cast<float>(static_cast<int32_t>(u(0) << 16 | u(1) << 24)) * 0x1p-31F;
    case 24: return static_cast<float>(static_cast<int32_t>(u(0) << 8 | u(1) << 16 | u(2) << 24)) * 0x1p-31F;
    default: break;
  }
  uint32_t bits = u(0) | u(1) << 8 | u(2) << 16 | u(3) << 24;
  return info.is_float ? std::bit_cast<float>(bits) : static_cast<float>(static_cast<int32_t>(bits)) * 0x1p-31F;
}

}  // namespace

Result<WavInfo> read_wav_info(const ByteSource& file) {
  OREE_TRY_ASSIGN(Bytes lead, file.read_at(0, 12));
  if (lead.size() < 12 || !as_text(lead).starts_with("RIFF") || as_text(lead).substr(8) != "WAVE")
    return bad("not a WAV file");
  std::optional<WavInfo> info;
  int64_t at = 12;
  for (int chunks = 0; chunks < kChunksMax; ++chunks) {
    OREE_TRY_ASSIGN(Bytes header, file.read_at(at, 8));
    if (header.size() < 8) return bad(info ? "no data chunk" : "no format chunk");
    int64_t size = LittleEndianReader(header, 4).u32();
    std::string_view name = as_text(header).substr(0, 4);
    at += 8;
    if (name == "data" && size == kUnknownSize) size = file.size - at;
    if (size > file.size - at) return bad(fmt::format("a chunk of {} bytes is cut, {} are left", size, file.size - at));
    if (name == "fmt ") {
      OREE_TRY_ASSIGN(Bytes chunk, file.read_at(at, std::min<int64_t>(size, 64)));
      OREE_TRY_ASSIGN(info, parse_format(chunk));
    } else if (name == "data") {
      if (!info) return bad("data before their format");
      info->data_offset = at;
      info->frames = size / (info->channels * info->bits / 8);
      return *info;
    }
    at += size + (size & 1);
  }
  return bad("too many chunks");
}

Result<std::vector<float>> read_wav(const ByteSource& file, const WavInfo& info, int64_t first, int64_t count) {
  OREE_ASSERT(first >= 0 && count >= 0 && first <= info.frames && count <= info.frames - first);
  const int64_t sample_bytes = info.bits / 8, frame_bytes = info.channels * sample_bytes;
  std::vector<float> out;
  out.reserve(static_cast<size_t>(count));
  while (count > 0) {
    int64_t frames = std::min(count, kPieceFrames);
    OREE_TRY_ASSIGN(Bytes piece, file.read_at(info.data_offset + first * frame_bytes, frames * frame_bytes));
    if (static_cast<int64_t>(piece.size()) != frames * frame_bytes) return bad("file became shorter while it was read");
    for (int64_t f = 0; f < frames; ++f) {
      const uint8_t* p = piece.data() + f * frame_bytes;
      float sum = 0;
      for (int c = 0; c < info.channels; ++c) sum += decode(p + c * sample_bytes, info);
      out.push_back(sum / static_cast<float>(info.channels));
    }
    first += frames;
    count -= frames;
  }
  return out;
}

}  // namespace oree
