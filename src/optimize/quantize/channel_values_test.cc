// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/channel_values.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

Tensor tensor(Shape shape, const std::vector<float>& values) {
  Tensor t(Dtype::kFloat32, std::move(shape));
  std::ranges::copy(values, t.as<float>().begin());
  return t;
}

}  // namespace

TEST_CASE("channels are on axis 1, and of a matrix on the last") {
  ChannelValues filters(1), matrix(1);
  REQUIRE(filters.add(tensor({1, 2, 1, 3}, {1, 2, 3, 10, 20, 30}), false).ok());
  REQUIRE(matrix.add(tensor({1, 3, 2}, {1, 10, 2, 20, 3, 30}), true).ok());
  const std::vector<float> wanted{1, 10, 2, 20, 3, 30};
  for (const ChannelValues* v : {&filters, &matrix}) {
    CHECK(v->channels() == 2);
    CHECK(std::vector<float>(v->values().begin(), v->values().end()) == wanted);
  }
  CHECK(filters.add(tensor({3}, {1, 2, 3}), false).error().code() == Code::kInvalid);
}

TEST_CASE("of many places some are kept, of the whole picture, the same in both networks") {
  const std::vector<float> values = normal_values(4 * 300 * 300, 1);
  ChannelValues a(16), b(16);
  for (int i = 0; i < 16; ++i) {
    REQUIRE(a.add(tensor({1, 4, 300, 300}, values), false).ok());
    REQUIRE(b.add(tensor({1, 4, 300, 300}, values), false).ok());
  }
  CHECK(a.values().size() <= size_t{1} << 20);
  CHECK(a.values().size() > size_t{1} << 19);
  for (double e : error_by_levels(a, b)) CHECK(e == 0);
}

TEST_CASE("few values are as good as their mean; of many each level counts alike") {
  ChannelValues few_wanted(1), few_found(1), wanted(1), found(1);
  REQUIRE(few_wanted.add(tensor({1, 1, 4}, {0, 1, 2, 16}), false).ok());
  REQUIRE(few_found.add(tensor({1, 1, 4}, {1, 1, 2, 19}), false).ok());
  CHECK(error_by_levels(few_wanted, few_found)[0] == doctest::Approx(1));
  // 10,000 values that are right, and 100 at the upper end that are off by 1.
  std::vector<float> a(10100, 0), b(10100, 0);
  for (size_t i = 10000; i < a.size(); ++i) a[i] = 8, b[i] = 9;
  REQUIRE(wanted.add(tensor({1, 1, 10100}, a), false).ok());
  REQUIRE(found.add(tensor({1, 1, 10100}, b), false).ok());
  CHECK(error_by_levels(wanted, found)[0] == doctest::Approx(0.5));
}

}  // namespace oree
