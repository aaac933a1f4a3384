// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/recipe/detect.h"

namespace oree {
namespace {

// The picture that the reference numbers below were made from with OpenCV's Python package.
Image ramp(int width, int height, Image::Order order = Image::Order::kBgr) {
  Image image{width, height, order, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int v : {x * 5 + y * 3, x * 2 + y * 7 + 40, 255 + 512 - x * 3 - y * 2})
        image.pixels.push_back(static_cast<uint8_t>(v % 256));
    }
  }
  return image;
}

ImageRecipe recipe(int width, int height) {
  ImageRecipe r;
  r.width = width;
  r.height = height;
  r.color = "bgr";
  r.layout = "nhwc";
  return r;
}

// Where the c-th of three interleaved channels of a pixel lies.
size_t index_of(int width, int x, int y, int c) {
  return (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3 + static_cast<size_t>(c);
}

float at(const Tensor& t, int width, int x, int y, int c) { return t.as<float>()[index_of(width, x, y, c)]; }

Tensor run(const ImageRecipe& r, const Image& image, Placement* placement = nullptr) {
  Tensor input = make_input(r);
  auto placed = preprocess(r, view_of(image), input);
  REQUIRE_MESSAGE(placed.ok(), placed.error().message());
  if (placement != nullptr) *placement = *placed;
  return input;
}

// Bilinear by its definition: sample positions (i + 0.5) * step - 0.5, clamped at the borders.
double bilinear(const Image& image, double x, double y, int c) {
  auto pixel = [&](int px, int py) {
    px = std::clamp(px, 0, image.width - 1);
    py = std::clamp(py, 0, image.height - 1);
    return static_cast<double>(image.pixels[index_of(image.width, px, py, c)]);
  };
  int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
  double fx = x - x0, fy = y - y0;
  return (pixel(x0, y0) * (1 - fx) + pixel(x0 + 1, y0) * fx) * (1 - fy) +
         (pixel(x0, y0 + 1) * (1 - fx) + pixel(x0 + 1, y0 + 1) * fx) * fy;
}

}  // namespace

TEST_CASE("the three interpolations equal OpenCV's") {
  struct Case {
    const char* name;
    std::array<int, 9> expected;
  };  // pixels (0,0), (5,3), (15,11)
  for (const Case& c : {Case{"bilinear", {5, 44, 252, 80, 108, 206, 241, 5, 106}},
                        Case{"area", {5, 45, 252, 80, 108, 206, 241, 22, 106}},
                        Case{"nearest", {0, 40, 255, 70, 97, 212, 233, 255, 111}}}) {
    ImageRecipe r = recipe(16, 12);
    r.interpolation = c.name;
    Tensor t = run(r, ramp(37, 23));
    for (int i = 0; i < 3; ++i) {
      CAPTURE(c.name);
      CHECK(std::abs(at(t, 16, 0, 0, i) - static_cast<float>(c.expected[static_cast<size_t>(i)])) <= 1);
      CHECK(std::abs(at(t, 16, 5, 3, i) - static_cast<float>(c.expected[static_cast<size_t>(3 + i)])) <= 1);
      CHECK(std::abs(at(t, 16, 15, 11, i) - static_cast<float>(c.expected[static_cast<size_t>(6 + i)])) <= 1);
    }
  }
}

TEST_CASE("bilinear equals its definition on odd sizes, up and down") {
  for (auto [w, h, iw, ih] :
       {std::array{7, 5, 31, 17}, std::array{40, 33, 13, 9}, std::array{1, 1, 5, 3}, std::array{16, 12, 16, 12}}) {
    Image image = ramp(iw, ih);
    Tensor t = run(recipe(w, h), image);
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        double want = bilinear(image, (x + 0.5) * iw / w - 0.5, (y + 0.5) * ih / h - 0.5, 1);
        REQUIRE(std::abs(at(t, w, x, y, 1) - want) <= 1.0);
      }
    }
  }
}

TEST_CASE("order, scale, mean, std and layout act in the documented order") {
  ImageRecipe r = recipe(4, 3);
  r.color = "rgb";
  r.scale = 1 / 255.0;
  r.mean = {0.485, 0.456, 0.406};
  r.std = {0.229, 0.224, 0.225};
  Image image = ramp(4, 3);  // same size: pixels stay
  Tensor nhwc = run(r, image);
  CHECK(nhwc.shape() == Shape{1, 3, 4, 3});
  r.layout = "nchw";
  Tensor nchw = run(r, image);
  CHECK(nchw.shape() == Shape{1, 3, 3, 4});
  for (size_t i = 0; i < 12; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      auto want = static_cast<float>((image.pixels[i * 3 + 2 - c] / 255.0 - r.mean[c]) / r.std[c]);
      CHECK(nhwc.as<float>()[i * 3 + c] == doctest::Approx(want).epsilon(1e-6));
      CHECK(nchw.as<float>()[c * 12 + i] == nhwc.as<float>()[i * 3 + c]);
    }
  }
}

TEST_CASE("quantized inputs are rounded, shifted and clamped") {
  ImageRecipe r = recipe(4, 3);
  r.mean = {127.5, 127.5, 127.5};
  r.std = {127.5, 127.5, 127.5};
  r.dtype = "int8";
  r.quant_scale = 1 / 100.0;
  r.zero_point = 50;
  Image image = ramp(4, 3);
  Tensor t = run(r, image);
  for (size_t i = 0; i < 36; ++i) {
    double v = std::round((image.pixels[i] - 127.5) / 127.5 * 100) + 50;
    CHECK(t.as<int8_t>()[i] == static_cast<int>(std::clamp(v, -128.0, 127.0)));
  }
  r = recipe(4, 3);
  r.dtype = "uint8";
  CHECK(std::equal(image.pixels.begin(), image.pixels.end(), run(r, image).data()));
}

TEST_CASE("letterbox keeps the aspect and fills bars with grey 114") {
  Placement p;
  ImageRecipe r = recipe(20, 20);
  r.resize = "letterbox";
  Tensor t = run(r, ramp(40, 20), &p);
  CHECK(p.scale_x == 0.5);
  CHECK(p.scale_y == 0.5);
  CHECK(p.offset_y == 5);
  CHECK(at(t, 20, 3, 4, 0) == 114);
  CHECK(at(t, 20, 3, 15, 2) == 114);
  Image image = ramp(40, 20);
  CHECK(std::abs(at(t, 20, 3, 5, 1) - bilinear(image, 6.5, 0.5, 1)) <= 1);
  r.layout = "nchw";
  CHECK(run(r, image).as<float>()[4 * 20] == 114);
}

TEST_CASE("crop takes the centre, and its placement leads back into the picture") {
  Placement p;
  ImageRecipe r = recipe(10, 10);
  r.resize = "crop";
  Image image = ramp(40, 20);
  Tensor t = run(r, image, &p);
  CHECK(p.scale_x == 0.5);
  CHECK((0 - p.offset_x) / p.scale_x == 10);  // the left edge of the input
  CHECK((10 - p.offset_x) / p.scale_x == 30);
  CHECK(std::abs(at(t, 10, 0, 0, 0) - bilinear(image, 10.5, 0.5, 0)) <= 1);
}

TEST_CASE("grey comes from colour with BT.601 weights, and colour from grey by repeating") {
  ImageRecipe r = recipe(16, 12);
  r.color = "gray";
  Tensor gray = run(r, ramp(37, 23));
  CHECK(gray.shape() == Shape{1, 12, 16, 1});
  CHECK(std::abs(gray.as<float>()[3 * 16 + 5] - 134.0f) <= 1);
  CHECK(std::abs(run(r, ramp(37, 23, Image::Order::kRgb)).as<float>()[3 * 16 + 5] - 111.0f) <= 1);
  Image one{2, 1, Image::Order::kGray, {7, 200}};
  Tensor colour = run(recipe(2, 1), one);
  CHECK(std::vector<float>(colour.as<float>().begin(), colour.as<float>().end()) ==
        std::vector<float>{7, 7, 7, 200, 200, 200});
}

TEST_CASE("a video frame gives the tensor that its converted picture gives") {
  // Smooth planes, so that the order of resizing and converting does not show.
  int width = 64, height = 48;
  Bytes luma, pairs, cb, cr;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) luma.push_back(static_cast<uint8_t>(60 + x + y));
  }
  for (int y = 0; y < height / 2; ++y) {
    for (int x = 0; x < width / 2; ++x) {
      cb.push_back(static_cast<uint8_t>(110 + x));
      cr.push_back(static_cast<uint8_t>(140 - y));
      pairs.push_back(cb.back());
      pairs.push_back(cr.back());
    }
  }
  YuvView i420{luma.data(), width, cb.data(), cr.data(), width / 2, width, height, true, false};
  YuvView nv12{luma.data(), width, pairs.data(), nullptr, width, width, height, true, false};
  Image image = yuv_to_image(i420).value();
  for (const char* resize : {"stretch", "letterbox", "crop"}) {
    for (const char* color : {"rgb", "bgr"}) {
      ImageRecipe r = recipe(30, 40);
      r.resize = resize;
      r.color = color;
      Tensor want = run(r, image), got = make_input(r), got_nv12 = make_input(r);
      auto p = preprocess(r, i420, got);
      REQUIRE(p.ok());
      REQUIRE(preprocess(r, nv12, got_nv12).ok());
      CHECK(got == got_nv12);
      Placement q;
      run(r, image, &q);
      CHECK(p->offset_x == q.offset_x);
      CHECK(p->scale_y == q.scale_y);
      for (size_t i = 0; i < want.as<float>().size(); ++i)
        REQUIRE(std::abs(want.as<float>()[i] - got.as<float>()[i]) <= 4);
    }
  }
  ImageRecipe r = recipe(30, 40);
  r.color = "gray";
  Tensor got = make_input(r);
  REQUIRE(preprocess(r, i420, got).ok());
  CHECK(std::abs(got.as<float>()[0] - (60.5f - 16) * 255 / 219) <= 2);
}

TEST_CASE("a tensor of another type or shape is refused with both named") {
  ImageRecipe r = recipe(4, 3);
  Image image = ramp(8, 8);
  Tensor wrong(Dtype::kFloat32, {1, 3, 3, 4});
  auto result = preprocess(r, view_of(image), wrong);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message().find("1x3x4x3") != std::string::npos);
  CHECK(result.error().message().find("1x3x3x4") != std::string::npos);
  Tensor right = make_input(r);
  CHECK_FALSE(preprocess(r, ImageView{}, right).ok());
  CHECK_FALSE(preprocess(r, YuvView{}, right).ok());
}

}  // namespace oree
