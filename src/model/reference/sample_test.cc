// SPDX-License-Identifier: Apache-2.0
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Attributes sampling(const char* mode, const char* padding, int64_t align = 0) {
  return {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", align}};
}

TEST_CASE("a sample between two elements has its share of both, and outside of zeros there is 0") {
  Tensor x = floats({1, 1, 1, 2}, {10, 20});
  // Coordinates name the last axis first; -1 and 1 are the outer borders.
  Tensor grid = floats({1, 1, 3, 2}, {-0.5, 0, 0, 0, 3, 0});
  check_near(run_op("GridSample", {x, grid}, sampling("linear", "zeros")), floats({1, 1, 1, 3}, {10, 15, 0}));
  check_near(run_op("GridSample", {x, grid}, sampling("linear", "border")), floats({1, 1, 1, 3}, {10, 15, 20}));
  check_near(run_op("GridSample", {x, grid}, sampling("nearest", "reflection")), floats({1, 1, 1, 3}, {10, 10, 10}));
}

TEST_CASE("with aligned corners -1 and 1 are the outer elements themselves") {
  Tensor x = floats({1, 1, 1, 3}, {10, 20, 40});
  Tensor grid = floats({1, 1, 3, 2}, {-1, 0, 0.5, 0, 1, 0});
  check_near(run_op("GridSample", {x, grid}, sampling("linear", "zeros", 1)), floats({1, 1, 1, 3}, {10, 30, 40}));
}

TEST_CASE("places that are infinitely far or no numbers are outside") {
  Tensor x = floats({1, 1, 1, 2}, {10, 20});
  Tensor grid = floats({1, 1, 4, 2}, {INFINITY, 0, -INFINITY, 0, NAN, 0, 1e30, 0});
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    check_near(run_op("GridSample", {x, grid}, sampling(mode, "zeros")), floats({1, 1, 1, 4}, {0, 0, 0, 0}));
    for (const char* padding : {"border", "reflection"}) {
      Tensor y = run_op("GridSample", {x, grid}, sampling(mode, padding));
      for (double v : y.to_doubles()) CHECK(std::isfinite(v));
    }
  }
}

TEST_CASE("integers of 64 bits are moved by the nearest sample, not rounded") {
  Tensor x = ints({1, 1, 1, 1}, {(int64_t{1} << 62) + 1});
  check_equal(run_op("GridSample", {x, floats({1, 1, 1, 2}, {0, 0})}, sampling("nearest", "zeros")), x);
}

TEST_CASE("a sampler refuses grids and modes that do not fit") {
  Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4}), grid = floats({1, 1, 1, 2}, {0, 0});
  CHECK(code_of("GridSample", {x, floats({1, 1, 1, 3}, {0, 0, 0})}) == Code::kInvalid);
  CHECK(code_of("GridSample", {x, floats({2, 1, 1, 2}, {0, 0, 0, 0})}) == Code::kInvalid);
  CHECK(code_of("GridSample", {x, grid}, sampling("other", "zeros")) == Code::kInvalid);
  CHECK(code_of("GridSample", {x, grid}, sampling("linear", "other")) == Code::kInvalid);
  CHECK(code_of("GridSample", {floats({1, 1, 0, 2}, {}), grid}) == Code::kInvalid);
}

TEST_CASE("the grid of the identity names every place of the image in turn") {
  Tensor theta = floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  check_near(run_op("AffineGrid", {theta, list({1, 1, 1, 2})}), floats({1, 1, 2, 2}, {-0.5, 0, 0.5, 0}));
  check_near(run_op("AffineGrid", {theta, list({1, 1, 1, 2})}, {{"align_corners", int64_t{1}}}),
             floats({1, 1, 2, 2}, {-1, 0, 1, 0}));
  CHECK(code_of("AffineGrid", {theta, list({2, 1, 1, 2})}) == Code::kInvalid);
  CHECK(code_of("AffineGrid", {theta, list({1, 1, 1, -2})}) == Code::kInvalid);
  CHECK(code_of("AffineGrid", {theta, list({1, 1, 1 << 14, 1 << 15})}) == Code::kExhausted);
}

TEST_CASE("the middle of an odd number of elements lies towards the front") {
  Tensor x = floats({1, 5}, {1, 2, 3, 4, 5});
  check_equal(run_op("CenterCropPad", {x, list({1, 2})}), floats({1, 2}, {2, 3}));
  check_equal(run_op("CenterCropPad", {x, list({2, 8})}),
              floats({2, 8}, {0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(code_of("CenterCropPad", {x, list({1, -2})}) == Code::kInvalid);
  CHECK(code_of("CenterCropPad", {x, list({1})}) == Code::kInvalid);
}

TEST_CASE("patches that overlap add up in Col2Im") {
  Tensor columns = floats({1, 2, 2}, {1, 2, 3, 4});  // [1,3] at place 0, [2,4] at place 1
  check_equal(run_op("Col2Im", {columns, list({1, 3}), list({1, 2})}), floats({1, 1, 1, 3}, {1, 5, 4}));
  CHECK(code_of("Col2Im", {columns, list({1, 4}), list({1, 2})}) == Code::kInvalid);
  CHECK(code_of("Col2Im", {columns, list({1, 3}), list({0, 2})}) == Code::kInvalid);
  CHECK(code_of("Col2Im", {columns, list({3}), list({1, 2})}) == Code::kInvalid);
}

TEST_CASE("a deformable convolution without offsets is a convolution, and follows the offsets that it gets") {
  Tensor x = floats({1, 1, 1, 3}, {1, 2, 4}), w = floats({1, 1, 1, 2}, {1, 10});
  Tensor none = floats({1, 4, 1, 2}, std::vector<double>(8, 0));
  check_near(run_op("DeformConv", {x, w, none}), run_op("Conv", {x, w}));
  Tensor half = floats({1, 4, 1, 2}, {0, 0, 0.5, 0.5, 0, 0, 0, 9});  // rows stay, columns move; the last one far away
  check_near(run_op("DeformConv", {x, w, half}), floats({1, 1, 1, 2}, {21.5, 3}));
  Tensor mask = floats({1, 2, 1, 2}, {0, 1, 1, 0});
  check_near(run_op("DeformConv", {x, w, none, std::nullopt, mask}), floats({1, 1, 1, 2}, {20, 2}));
  CHECK(code_of("DeformConv", {x, w, floats({1, 2, 1, 2}, {0, 0, 0, 0})}) == Code::kInvalid);
}

}  // namespace
}  // namespace oree
