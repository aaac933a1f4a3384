// SPDX-License-Identifier: Apache-2.0
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

TEST_CASE("boxes that a better one covers are suppressed, class by class") {
  Tensor boxes = floats({1, 3, 4}, {0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, 10, 1, 11});
  Tensor scores = floats({1, 2, 3}, {0.9, 0.75, 0.6, 0.1, 0.95, 0.6});
  check_equal(run_op("NonMaxSuppression", {boxes, scores, list({3}), floats({1}, {0.5})}),
              ints({4, 3}, {0, 0, 0, 0, 0, 2, 0, 1, 1, 0, 1, 2}));
  check_equal(run_op("NonMaxSuppression", {boxes, scores, list({1}), floats({1}, {0.5}), floats({1}, {0.92})}),
              ints({1, 3}, {0, 1, 1}));
  check_equal(run_op("NonMaxSuppression", {boxes, scores}), ints({0, 3}, {}));  // none is the default
}

TEST_CASE("scores that are no numbers come last, and nothing breaks") {
  Tensor boxes = floats({1, 2, 4}, {0, 0, 1, 1, NAN, NAN, NAN, NAN});
  check_equal(run_op("NonMaxSuppression", {boxes, floats({1, 1, 2}, {NAN, 1}), list({9})}),
              ints({2, 3}, {0, 0, 1, 0, 0, 0}));
  CHECK(code_of("NonMaxSuppression", {boxes, floats({1, 1, 3}, {1, 1, 1}), list({9})}) == Code::kInvalid);
}

TEST_CASE("a box of whole elements is averaged or its largest taken") {
  Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  Attributes half{{"output_height", int64_t{1}}, {"output_width", int64_t{1}}};
  check_near(run_op("RoiAlign", {x, floats({1, 4}, {0, 0, 2, 2}), list({0})}, half), floats({1, 1, 1, 1}, {2.5}));
  check_near(run_op("MaxRoiPool", {x, floats({1, 5}, {0, 0, 0, 1, 1})}, {{"pooled_shape", std::vector<int64_t>{1, 2}}}),
             floats({1, 1, 1, 2}, {3, 4}));
}

TEST_CASE("boxes outside are empty, boxes in no image and without end are refused") {
  Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  check_near(run_op("RoiAlign", {x, floats({1, 4}, {50, 50, 52, 52}), list({0})}), floats({1, 1, 1, 1}, {0}));
  CHECK(code_of("RoiAlign", {x, floats({1, 4}, {0, 0, 2, 2}), list({1})}) == Code::kInvalid);
  CHECK(code_of("RoiAlign", {x, floats({1, 4}, {0, 0, 2, 2}), list({-1})}) == Code::kInvalid);
  CHECK(code_of("RoiAlign", {x, floats({1, 4}, {0, 0, INFINITY, 2}), list({0})}) == Code::kInvalid);
  CHECK(code_of("RoiAlign", {x, floats({1, 4}, {0, 0, 1e9, 1e9}), list({0})}) == Code::kInvalid);
  Attributes pooled{{"pooled_shape", std::vector<int64_t>{1, 1}}};
  check_near(run_op("MaxRoiPool", {x, floats({1, 5}, {0, 50, 50, 52, 52})}, pooled), floats({1, 1, 1, 1}, {0}));
  CHECK(code_of("MaxRoiPool", {x, floats({1, 5}, {NAN, 0, 0, 1, 1})}, pooled) == Code::kInvalid);
  CHECK(code_of("MaxRoiPool", {x, floats({1, 5}, {0, 0, 0, INFINITY, 1})}, pooled) == Code::kInvalid);
}

}  // namespace
}  // namespace oree
