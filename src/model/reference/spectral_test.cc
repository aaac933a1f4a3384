// SPDX-License-Identifier: Apache-2.0
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

TEST_CASE("a transform and its inverse give back the signal, real from half a spectrum") {
  Tensor x = floats({1, 5, 1}, {1, 2, -1, 4, 0.5});
  Tensor spectrum = run_op("DFT", {x});
  check_near(run_op("DFT", {spectrum}, {{"inverse", int64_t{1}}}),
             floats({1, 5, 2}, {1, 0, 2, 0, -1, 0, 4, 0, 0.5, 0}));
  Tensor half = run_op("DFT", {x}, {{"onesided", int64_t{1}}});
  CHECK(shape_text(half.shape()) == "1x3x2");
  check_near(run_op("DFT", {half, list({5})}, {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}}), x);
}

TEST_CASE("the first bin is the sum, and a longer transform sees zeros behind the signal") {
  Tensor y = run_op("DFT", {floats({1, 2, 1}, {3, 4}), list({4})});
  check_near(y, floats({1, 4, 2}, {7, 0, 3, -4, -1, 0, 3, 4}));
}

TEST_CASE("transforms without length, of a wrong axis or without end are refused") {
  Tensor x = floats({1, 2, 1}, {3, 4});
  CHECK(code_of("DFT", {x, list({0})}) == Code::kInvalid);
  CHECK(code_of("DFT", {x, std::nullopt, list({2})}) == Code::kInvalid);
  CHECK(code_of("DFT", {floats({2, 3}, {1, 2, 3, 4, 5, 6})}) == Code::kInvalid);  // three parts of a number
  CHECK(code_of("DFT", {x, list({1 << 30})}) == Code::kInvalid);
  CHECK(code_of("DFT", {x, list({1 << 25})}) == Code::kExhausted);
  CHECK(code_of("STFT", {floats({1, 4, 1}, {1, 2, 3, 4}), list({0})}) == Code::kInvalid);
  CHECK(code_of("STFT", {floats({1, 4, 1}, {1, 2, 3, 4}), list({1}), std::nullopt, list({5})}) == Code::kInvalid);
}

TEST_CASE("each frame of a short-time transform is the transform of its piece under the window") {
  Tensor x = floats({1, 4, 1}, {1, 2, 3, 4});
  check_near(run_op("STFT", {x, list({2}), floats({2}, {1, 0.5})}), floats({1, 2, 2, 2}, {2, 0, 0, 0, 5, 0, 1, 0}));
}

TEST_CASE("a symmetric window ends as it began, a periodic one stops before that") {
  check_near(run_op("HannWindow", {ints({}, {3})}, {{"periodic", int64_t{0}}}), floats({3}, {0, 1, 0}));
  check_near(run_op("HannWindow", {ints({}, {4})}), floats({4}, {0, 0.5, 1, 0.5}));
  check_near(run_op("BlackmanWindow", {ints({}, {1})}, {{"periodic", int64_t{0}}}), floats({1}, {1}));
  CHECK(code_of("HammingWindow", {ints({}, {-1})}) == Code::kInvalid);
  CHECK(code_of("HammingWindow", {ints({}, {3})}, {{"output_datatype", int64_t{8}}}) == Code::kUnsupported);
}

TEST_CASE("mel filters beyond the spectrum are refused") {
  auto bank = [](double high) {
    return std::vector<std::optional<Tensor>>{ints({}, {2}), ints({}, {16}), ints({}, {8000}), floats({}, {0}),
                                              floats({}, {high})};
  };
  Tensor filters = run_op("MelWeightMatrix", bank(3900));
  CHECK(shape_text(filters.shape()) == "9x2");
  CHECK(code_of("MelWeightMatrix", bank(1e8)) == Code::kInvalid);
  CHECK(code_of("MelWeightMatrix", bank(NAN)) == Code::kInvalid);
}

}  // namespace
}  // namespace oree
