// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/files/real_values.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace oree {
namespace {

Tensor floats(const std::vector<float>& values) {
  Tensor t(Dtype::kFloat32, {static_cast<int64_t>(values.size())});
  std::ranges::copy(values, t.as<float>().begin());
  return t;
}

}  // namespace

TEST_CASE("reals are divided, rounded half to even, shifted and clamped") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  Tensor reals = floats({0, 0.25f, 0.75f, 1.25f, -0.75f, 1000, -1000, nan, inf, -inf});
  Result<Tensor> found = to_integers(reals, Dtype::kInt8, {0.5f, 3});
  REQUIRE(found.ok());
  CHECK(found->to_doubles() == std::vector<double>{3, 3, 5, 5, 1, 127, -128, 3, 127, -128});
  found = to_integers(reals, Dtype::kUint8, {0.5f, 131});
  REQUIRE(found.ok());
  CHECK(found->to_doubles() == std::vector<double>{131, 131, 133, 133, 129, 255, 0, 131, 255, 0});
}

TEST_CASE("integers come back as the reals that they stand for") {
  Tensor t(Dtype::kInt16, {3});
  t.as<int16_t>()[0] = -32768;
  t.as<int16_t>()[2] = 32767;
  CHECK(to_reals(t, {0.5f, 0}).to_doubles() == std::vector<double>{-16384, 0, 16383.5});
  Tensor whole(Dtype::kInt64, {1});
  CHECK(to_reals(whole, {0.5f, 0}) == whole);
  CHECK_FALSE(to_integers(whole, Dtype::kInt8, {0.5f, 0}).ok());
  CHECK_FALSE(to_integers(floats({1}), Dtype::kInt32, {0.5f, 0}).ok());
}

TEST_CASE("only float32 that is given for integers of reals is quantized") {
  std::vector<TensorInfo> infos{{"a", Dtype::kInt8, {2}, RealScale{0.5f, 1}}, {"b", Dtype::kFloat32, {1}, {}}};
  NamedTensors given{{"a", floats({1, 2})}, {"b", floats({3})}};
  Result<std::optional<NamedTensors>> found = with_integers(given, infos);
  REQUIRE(found.ok());
  REQUIRE(found->has_value());
  CHECK((**found)[0].tensor.to_doubles() == std::vector<double>{3, 5});
  CHECK((**found)[1].tensor == given[1].tensor);
  NamedTensors integers = **found;
  found = with_integers(integers, infos);
  REQUIRE(found.ok());
  CHECK_FALSE(found->has_value());
  make_real(integers, infos);
  CHECK(integers[0].tensor.to_doubles() == std::vector<double>{1, 2});
}

}  // namespace oree
