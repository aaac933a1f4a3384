// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/drop.h"

#include <doctest/doctest.h>

namespace oree {
namespace {

// What is lost with so many layers in float.
Result<std::vector<DropTrial>> search(const std::vector<double>& lost, double max, int& judged) {
  judged = 0;
  return fewest_in_float(lost.size() - 1, max, [&](size_t count) -> Result<Drop> {
    ++judged;
    return Drop{"top1", false, 0.9, 0.9 - lost[count], 100};
  });
}

}  // namespace

TEST_CASE("the fewest layers in float that keep the bound are found, in few judgements") {
  constexpr size_t kLayers = 40;
  for (size_t needed = 0; needed <= kLayers; ++needed) {
    std::vector<double> lost(kLayers + 1, 0.05);
    for (size_t i = needed; i <= kLayers; ++i) lost[i] = 0.004;
    int judged = 0;
    Result<std::vector<DropTrial>> found = search(lost, 0.01, judged);
    REQUIRE(found.ok());
    CHECK(found->back().layers_float == needed);
    CHECK(found->back().drop.lost() <= 0.01);
    CHECK(judged <= 12);
  }
}

TEST_CASE("what is enough at once is judged once; what never is, refused with the figure") {
  int judged = 0;
  Result<std::vector<DropTrial>> found = search({0.003, 0.001}, 0.01, judged);
  REQUIRE(found.ok());
  CHECK(found->size() == 1);
  CHECK(judged == 1);
  Result<std::vector<DropTrial>> refused = search({0.3, 0.2, 0.1, 0.05}, 0.01, judged);
  REQUIRE(!refused.ok());
  CHECK(refused.error().code() == Code::kRefused);
  CHECK_MESSAGE(refused.error().message().find("5.00 points") != std::string::npos, refused.error().message());
}

TEST_CASE("an error of the judge ends the search") {
  auto broken = [](size_t) -> Result<Drop> { return Error(Code::kInvalid, "no usable sample"); };
  CHECK(fewest_in_float(3, 0.01, broken).error().message() == "no usable sample");
}

}  // namespace oree
