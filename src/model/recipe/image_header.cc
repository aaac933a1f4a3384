// SPDX-License-Identifier: Apache-2.0
#include "model/recipe/image_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace oree {
namespace {

Error cut(const char* format) { return Error(Code::kInvalid, fmt::format("image: the {} file is cut off", format)); }

// Little- and big-endian numbers of `size` bytes; the caller has checked the range.
int64_t little(ByteView f, size_t at, size_t size) {
  uint64_t v = 0;
  for (size_t i = size; i-- > 0;) v = v << 8 | f[at + i];
  return static_cast<int64_t>(v);
}
int64_t big(ByteView f, size_t at, size_t size) {
  uint64_t v = 0;
  for (size_t i = 0; i < size; ++i) v = v << 8 | f[at + i];
  return static_cast<int64_t>(v);
}
bool has(ByteView f, size_t at, std::string_view text) {
  return f.size() >= at + text.size() && std::memcmp(f.data() + at, text.data(), text.size()) == 0;
}

Result<ImageHeader> read_png(ByteView f) {
  if (f.size() < 33 || !has(f, 12, "IHDR")) return cut("PNG");
  // Decoders differ in what they give for a file without its end: some give half a picture.
  if (as_text(f).rfind("IEND") == std::string_view::npos) return cut("PNG");
  return ImageHeader{"PNG", big(f, 16, 4), big(f, 20, 4)};
}

Result<ImageHeader> read_bmp(ByteView f) {
  if (f.size() < 26 || static_cast<int64_t>(f.size()) < little(f, 2, 4)) return cut("BMP");
  if (little(f, 14, 4) == 12) return ImageHeader{"BMP", little(f, 18, 2), little(f, 20, 2)};
  auto width = static_cast<int32_t>(little(f, 18, 4));
  auto height = static_cast<int32_t>(little(f, 22, 4));  // negative: rows run downwards
  return ImageHeader{"BMP", width, std::abs(int64_t{height})};
}

Result<ImageHeader> read_webp(ByteView f) {
  if (f.size() < 30 || static_cast<int64_t>(f.size()) < little(f, 4, 4) + 8) return cut("WebP");
  if (has(f, 12, "VP8X")) return ImageHeader{"WebP", little(f, 24, 3) + 1, little(f, 27, 3) + 1};
  if (has(f, 12, "VP8L")) {
    int64_t bits = little(f, 21, 4);
    return ImageHeader{"WebP", (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
  }
  if (has(f, 12, "VP8 ")) return ImageHeader{"WebP", little(f, 26, 2) & 0x3fff, little(f, 28, 2) & 0x3fff};
  return Error(Code::kInvalid, "image: WebP without a picture");
}

// Markers up to the frame header; then the end marker, which entropy-coded data cannot hold by chance, must follow.
Result<ImageHeader> read_jpeg(ByteView f) {
  size_t at = 2;
  while (at + 4 <= f.size()) {
    if (f[at] != 0xff) return Error(Code::kInvalid, "image: JPEG with a broken marker");
    uint8_t marker = f[at + 1];
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    auto length = static_cast<size_t>(big(f, at + 2, 2));
    bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) {
      if (at + 9 > f.size()) return cut("JPEG");
      ImageHeader header{"JPEG", big(f, at + 7, 2), big(f, at + 5, 2)};
      if (as_text(f.subspan(at)).rfind("\xff\xd9") == std::string_view::npos) return cut("JPEG");
      return header;
    }
    at += 2 + length;
  }
  return cut("JPEG");
}

}  // namespace

Result<ImageHeader> read_image_header(ByteView file) {
  if (file.empty()) return Error(Code::kInvalid, "image: the file is empty");
  if (has(file, 0, "\x89PNG\r\n\x1a\n")) return read_png(file);
  if (has(file, 0, "\xff\xd8\xff")) return read_jpeg(file);
  if (has(file, 0, "BM")) return read_bmp(file);
  if (has(file, 0, "RIFF") && has(file, 8, "WEBP")) return read_webp(file);
  return Error(Code::kInvalid, fmt::format("image: JPEG, PNG, BMP or WebP expected; the file starts with {}",
                                           to_hex(file.first(std::min<size_t>(file.size(), 8)))));
}

}  // namespace oree
