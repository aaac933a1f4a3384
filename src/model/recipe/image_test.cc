// SPDX-License-Identifier: Apache-2.0
#include "model/recipe/image.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/limits.h"

namespace oree {
namespace {

// 3x2 pixels, B G R; the files below were written by OpenCV's Python package.
const Bytes kPixels{10, 20, 30, 40, 50, 60, 255, 0, 128, 0, 0, 0, 255, 255, 255, 1, 2, 3};
const char* const kBmp =
    "424d4e000000000000003600000028000000030000000200000001001800000000001800000000000000000000000000000000000000"
    "000000ffffff010203000000"
    "0a141e28323cff0080000000";

Bytes bytes(const char* hex) { return from_hex(hex).value(); }

Image striped(int width, int height) {
  Image image{width, height, Image::Order::kBgr, Bytes(static_cast<size_t>(width * height * 3))};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>((i / 24) * 37 % 256);
  return image;
}

}  // namespace

TEST_CASE("a BMP written elsewhere is read exactly") {
  auto image = decode_image(bytes(kBmp));
  REQUIRE_MESSAGE(image.ok(), image.error().message());
  CHECK(image->width == 3);
  CHECK(image->height == 2);
  CHECK(image->order == Image::Order::kBgr);
  CHECK(image->pixels == kPixels);
}

TEST_CASE("PNG gives back what was written, from either channel order") {
  Image bgr{3, 2, Image::Order::kBgr, kPixels};
  CHECK(decode_image(*encode_png(view_of(bgr)))->pixels == kPixels);
  Image rgb{3, 2, Image::Order::kRgb, kPixels};
  for (size_t i = 0; i < rgb.pixels.size(); i += 3) std::swap(rgb.pixels[i], rgb.pixels[i + 2]);
  CHECK(decode_image(*encode_png(view_of(rgb)))->pixels == kPixels);
}

TEST_CASE("a row's padding is not part of the picture") {
  Image wide = striped(20, 5);
  ImageView part = view_of(wide);
  part.width = 7;
  auto back = decode_image(*encode_png(part));
  REQUIRE(back.ok());
  CHECK(back->width == 7);
  CHECK(std::equal(back->pixels.end() - 21, back->pixels.end(), wide.pixels.begin() + 4 * 60));
}

TEST_CASE("JPEG comes back nearly as it was") {
  Image image = striped(64, 48);
  auto back = decode_image(*encode_jpeg(view_of(image), 95));
  REQUIRE(back.ok());
  double error = 0;
  for (size_t i = 0; i < image.pixels.size(); ++i) error += std::abs(image.pixels[i] - back->pixels[i]);
  CHECK(error / static_cast<double>(image.pixels.size()) < 6);
}

TEST_CASE("every cut of a file is refused") {
  Image image = striped(16, 12);
  for (const Bytes& file : {*encode_png(view_of(image)), *encode_jpeg(view_of(image), 90), bytes(kBmp)}) {
    for (size_t size = 0; size + 3 < file.size(); ++size) {
      auto result = decode_image(ByteView(file).first(size));
      CAPTURE(size);
      REQUIRE_FALSE(result.ok());
      CHECK(result.error().code() == Code::kInvalid);
    }
  }
}

TEST_CASE("huge claims are refused before anything is allocated") {
  Bytes png = *encode_png(view_of(striped(16, 12)));
  for (size_t i = 16; i < 24; ++i) png[i] = i % 4 == 0 ? 0 : 0xff;  // 16777215 x 16777215
  auto result = decode_image(png);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message().find("16777215") != std::string::npos);
  Bytes jpeg = *encode_jpeg(view_of(striped(16, 12)), 90);
  for (size_t i = 2; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0) {
      jpeg[i + 5] = jpeg[i + 6] = jpeg[i + 7] = jpeg[i + 8] = 0xff;
      break;
    }
  }
  result = decode_image(jpeg);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message().find("65535x65535") != std::string::npos);
}

TEST_CASE("what is no picture is named") {
  CHECK(decode_image({}).error().message().find("empty") != std::string::npos);
  CHECK(decode_image(as_bytes("TFL3 and more")).error().message().find("54464c33") != std::string::npos);
  CHECK_FALSE(encode_png(ImageView{}).ok());
}

TEST_CASE("damaged bytes never crash the decoder") {
  uint32_t seed = 1;
  auto next = [&] { return seed = seed * 1664525u + 1013904223u; };
  for (const Bytes& file : {*encode_png(view_of(striped(16, 12))), *encode_jpeg(view_of(striped(16, 12)), 90)}) {
    for (int round = 0; round < 300; ++round) {
      Bytes broken = file;
      for (int k = 0; k < 4; ++k) broken[next() % broken.size()] = static_cast<uint8_t>(next() >> 24);
      auto result = decode_image(broken);
      if (result.ok()) CHECK(int64_t{result->width} * result->height <= kImagePixelsMax);
    }
  }
}

TEST_CASE("video colours follow BT.601 and BT.709") {
  // Grey, and the primaries' standard codes (limited range): Y, Cb, Cr -> R, G, B.
  struct Case {
    bool bt709, full;
    uint8_t y, cb, cr;
    int r, g, b;
  };
  for (const Case& c : {Case{false, false, 235, 128, 128, 255, 255, 255}, Case{false, false, 16, 128, 128, 0, 0, 0},
                        Case{false, false, 81, 90, 240, 255, 0, 0}, Case{false, false, 145, 54, 34, 0, 255, 0},
                        Case{true, false, 63, 102, 240, 255, 0, 0}, Case{true, false, 173, 42, 26, 0, 255, 0},
                        Case{true, false, 32, 240, 118, 0, 0, 255}, Case{false, true, 76, 85, 255, 254, 0, 0}}) {
    uint8_t luma[4] = {c.y, c.y, c.y, c.y}, pair[2] = {c.cb, c.cr};
    YuvView nv12{luma, 2, pair, nullptr, 2, 2, 2, c.bt709, c.full};
    YuvView i420{luma, 2, pair, pair + 1, 1, 2, 2, c.bt709, c.full};
    Image image = yuv_to_image(nv12).value();
    CHECK(image.pixels == yuv_to_image(i420).value().pixels);
    CHECK(std::abs(image.pixels[9] - c.b) <= 2);
    CHECK(std::abs(image.pixels[10] - c.g) <= 2);
    CHECK(std::abs(image.pixels[11] - c.r) <= 2);
  }
  CHECK_FALSE(yuv_to_image(YuvView{}).ok());
}

}  // namespace oree
