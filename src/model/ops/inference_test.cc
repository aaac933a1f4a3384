// SPDX-License-Identifier: Apache-2.0
#include "model/ops/inference.h"

#include <doctest/doctest.h>

#include "model/ops/op_def.h"

namespace oree {
namespace {

TEST_CASE("a small CNN gets all its types") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{Dim("batch"), 3, 32, 32});
  ValueId w = g.add_constant("w", Constant(Tensor(Dtype::kFloat32, {8, 3, 3, 3})));
  ValueId conv =
      g.add("Conv", {x, w}, {{"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  ValueId pool = g.add("GlobalAveragePool", {g.add("Relu", {conv})});
  ValueId flat = g.add("Flatten", {pool});
  ValueId y = g.add("Gemm", {flat, g.add_constant("m", Constant(Tensor(Dtype::kFloat32, {8, 10})))});
  g.add_output(y);
  Status s = infer_types(g);
  REQUIRE_MESSAGE(s.ok(), s.error().message());
  CHECK(*g.value(conv).dims == Dims{Dim("batch"), 8, 16, 16});
  CHECK(*g.value(flat).dims == Dims{Dim("batch"), 8});
  CHECK(*g.value(y).dims == Dims{Dim("batch"), 10});
  CHECK(g.value(y).dtype == Dtype::kFloat32);
}

TEST_CASE("the table is sorted, has no operator twice and knows ONNX's domain by both names") {
  std::vector<const OpDef*> ops = all_ops();
  CHECK(ops.size() >= 150);
  for (size_t i = 1; i < ops.size(); ++i) CHECK(ops[i - 1]->op < ops[i]->op);
  CHECK(find_op("", "Conv") == find_op("ai.onnx", "Conv"));
  CHECK(find_op("com.microsoft", "Gelu") == nullptr);
  CHECK(find_op("", "Convolution") == nullptr);
}

}  // namespace
}  // namespace oree
