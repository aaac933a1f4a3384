// SPDX-License-Identifier: Apache-2.0
#include "model/eval/batch.h"

#include <doctest/doctest.h>

namespace oree {
namespace {

NamedTensor floats(const std::string& name, Shape shape, std::vector<float> values) {
  Tensor tensor(Dtype::kFloat32, std::move(shape));
  std::ranges::copy(values, tensor.as<float>().begin());
  return {name, std::move(tensor)};
}

TEST_CASE("samples become a batch and samples again") {
  const std::vector<NamedTensors> samples = {
      {floats("a", {1, 2}, {1, 2}), floats("b", {1}, {3})},
      {floats("b", {1}, {6}), floats("a", {1, 2}, {4, 5})},
  };
  Result<NamedTensors> stacked = stack_samples(samples);
  REQUIRE(stacked.ok());
  REQUIRE(stacked->size() == 2);
  CHECK((*stacked)[0].tensor == floats("", {2, 2}, {1, 2, 4, 5}).tensor);
  CHECK((*stacked)[1].tensor == floats("", {2}, {3, 6}).tensor);
  auto back = unstack_samples(*stacked, 2);
  REQUIRE(back.ok());
  CHECK((*back)[0][0].tensor == samples[0][0].tensor);
  CHECK((*back)[1][1].tensor == samples[1][0].tensor);
}

TEST_CASE("what is no batch is refused by name") {
  auto error = [](std::vector<NamedTensors> samples) { return stack_samples(samples).error().message(); };
  CHECK(error({{floats("wide", {2, 1}, {1, 2})}}).find("'wide'") != std::string::npos);
  CHECK(error({{floats("scalar", {}, {1})}}).find("'scalar'") != std::string::npos);
  CHECK(error({{floats("x", {1, 1}, {1})}, {floats("x", {1, 2}, {1, 2})}}).find("alike") != std::string::npos);
  CHECK(error({{floats("x", {1}, {1})}, {floats("y", {1}, {1})}}).find("alike") != std::string::npos);
  CHECK(unstack_samples({floats("mean", {1, 3}, {1, 2, 3})}, 2).error().code() == Code::kUnsupported);
  CHECK(unstack_samples({floats("sum", {}, {1})}, 2).error().message().find("'sum'") != std::string::npos);
}

TEST_CASE("a batch needs a first dimension that is free") {
  CHECK(check_batch({{"x", Dtype::kFloat32, {1, 3}}}, 1).ok());
  CHECK(check_batch({{"x", Dtype::kFloat32, {-1, 3}}}, 4).ok());
  CHECK(check_batch({{"x", Dtype::kFloat32, {-1, 3}}, {"y", Dtype::kFloat32, {1, 3}}}, 4).error().code() ==
        Code::kUnsupported);
  CHECK_FALSE(check_batch({{"x", Dtype::kFloat32, {}}}, 2).ok());
}

}  // namespace
}  // namespace oree
